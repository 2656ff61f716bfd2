// CI in the dashboard: a queue is made, a real runner's job is watched while it runs, canceled, run again, and read on another node.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { Net, assert, browserOrSkip, commit, done, equal, git, must, test, until, watched, workTree } from './lib.mjs'

// A command that says something, waits until it may go on, and says the rest.
const SCRIPT = `printf 'one\\n\\033[31mred\\033[0m\\n10%%\\r100%%\\n'
while [ ! -e "$HOLD" ]; do sleep 0.1; done
echo two
head -c 3000000 /dev/zero >big.bin
`

const browser = await browserOrSkip()
const net = new Net()
try {
	const a = await net.node('A', '--set', 'ci.lease=10s')
	const repo = await a.api('POST', '/api/v1/repos', { name: 'demo' })
	const work = workTree(net.path('work'), 'first', { 'build.sh': SCRIPT })
	const hold = net.path('hold')
	const context = await watched(browser, a, { acceptDownloads: true })
	const page = await context.newPage()
	const go = (hash) => page.goto(`${a.url}/#/${hash}`)
	const at = (...parts) => ['r', repo.full_name, ...parts].join('/')
	const press = (name) => page.getByRole('button', { name, exact: true }).click()
	const dialog = page.getByRole('dialog')
	const row = (text) => page.getByRole('row').filter({ hasText: text })
	const push = (to = 'main') => git(work, 'push', '-q', a.gitUrl(repo), `HEAD:${to}`)
	const log = page.getByRole('region', { name: 'Log' })

	await page.goto(await a.door())
	await page.getByRole('link', { name: 'Session' }).waitFor()

	await must('without a queue the page says what to do', async () => {
		await go(at('ci'))
		await page.getByText(`guts ci run --repo ${repo.full_name} -- make check`).waitFor()
	})

	await must('a queue is made, changed, and errors are said at their field', async () => {
		await press('New queue…')
		await dialog.getByLabel('Context', { exact: true }).fill('ci/linux')
		await dialog.getByLabel('branch that is made or moved').uncheck()
		await dialog.getByRole('button', { name: 'Make' }).click()
		await until(async () => (await dialog.getByRole('group').getAttribute('aria-invalid')) === 'true', 'mark of the events')
		await dialog.getByLabel('branch that is made or moved').check()
		await dialog.getByRole('button', { name: 'Make' }).click()
		await page.getByText('push of *').waitFor()
		await press('Change queue ci/linux')
		await dialog.getByLabel('Branches', { exact: true }).fill('{main,topic/*}')
		await dialog.getByRole('button', { name: 'Save' }).click()
		await page.getByText('push of {main,topic/*}').waitFor()
	})

	await must('a push makes a job that waits', async () => {
		push()
		await row('main').getByText('waiting').waitFor()
		await row('main').getByRole('link', { name: 'ci/linux' }).click()
		await page.getByText('It waits for a runner').waitFor()
		await page.getByText('Nothing was said yet.').waitFor()
	})

	let job
	await must('it is watched while it runs', async () => {
		a.runner('--name', 'builder', '--env', `HOLD=${hold}`, '--artifact', 'big.bin', '--', 'sh', 'build.sh')
		await log.getByText('one').waitFor()
		equal(await log.innerText(), 'one\nred\n100%\n', 'log')
		await page.getByRole('listitem').filter({ hasText: 'run' }).getByText('running').waitFor()
		await page.getByText('builder').first().waitFor()
		writeFileSync(hold, '')
		await log.getByText('two').waitFor()
		await page.getByText(/^passed in/).waitFor()
		;[job] = await a.get('/api/v1/ci/jobs')
		equal([job.state, job.runner], ['success', 'builder'], 'job')
	})

	await test('a file of it is downloaded whole, and its SHA-256 is right', async () => {
		const got = page.waitForEvent('download')
		await press('Download big.bin')
		const download = await got
		equal(download.suggestedFilename(), 'big.bin', 'name')
		const data = readFileSync(await download.path())
		equal(data.length, 3_000_000, 'bytes')
		const { sha256 } = job.files.find((f) => f.name === 'big.bin')
		equal(createHash('sha256').update(data).digest('hex'), sha256, 'SHA-256')
		await page.getByText(sha256.slice(0, 16)).waitFor()
	})

	await test('the commit and the branch lead to it', async () => {
		await go(at('commit', job.commit))
		await page.getByRole('link', { name: 'job', exact: true }).click()
		await page.waitForURL(`**/${job.id}`)
		await go(at('refs'))
		await page.getByRole('link', { name: 'Jobs' }).click()
		await row('main').getByText('passed', { exact: true }).waitFor()
		assert(page.url().endsWith('?branch=main'), page.url())
	})

	await test('one that runs is canceled, and runs again', async () => {
		commit(work, 'slow', { 'build.sh': 'echo begun; exec sleep 1000\n' })
		push('topic/slow')
		await go(at('ci'))
		await row('topic/slow').getByText('running').waitFor()
		await row('topic/slow').getByRole('link', { name: 'ci/linux' }).click()
		await log.getByText('begun').waitFor()
		await press('Cancel')
		await page.getByText('canceled', { exact: true }).waitFor()
		const before = page.url()
		await press('Run again')
		await page.waitForURL((u) => u.href !== before)
		await log.getByText('begun').waitFor()
		const [again] = await a.get('/api/v1/ci/jobs?state=running')
		assert(page.url().endsWith(again.id), 'the page is of the new job')
		await press('Cancel')
		await page.getByText('canceled', { exact: true }).waitFor()
	})

	await test('the list is filtered by state, branch and runner', async () => {
		await go(at('ci'))
		const rows = (n) => until(async () => (await page.getByRole('row').count()) === n + 1, `${n} jobs`)
		await rows(3)
		await page.getByLabel('State').selectOption('error')
		await rows(2)
		await page.getByLabel('Branch', { exact: true }).fill('main')
		await page.getByText('No job is like that.').waitFor()
		await page.getByLabel('State').selectOption('')
		await rows(1)
		await page.getByLabel('Runner', { exact: true }).fill('nobody')
		await page.getByText('No job is like that.').waitFor()
	})

	await test('the node’s page counts what runs, what waits, and who waits', async () => {
		const figure = (name) => page.locator('.figure').filter({ hasText: name }).locator('dd')
		await go('ci')
		await until(async () => (await figure('Runners that wait').innerText()) === '1', 'the runner')
		await page.getByRole('listitem').filter({ hasText: 'builder' }).getByText('in all repositories').waitFor()
		push('topic/other')
		await until(async () => (await figure('Running').innerText()) === '1', 'the job')
		await row('topic/other').getByText('running').waitFor()
		push('topic/third')
		await until(async () => (await figure('Waiting').innerText()) === '1', 'the next job')
	})

	await test('required contexts are signed, how they stand is shown, and the badge is there to copy', async () => {
		await go(at('settings'))
		await press('Add ci/linux')
		equal(await page.getByLabel('Required contexts').inputValue(), 'ci/linux', 'contexts')
		await press('Sign the lists')
		await page.getByRole('listitem').filter({ hasText: 'ci/linux' }).getByText('success').waitFor()
		equal((await a.get(`/api/v1/repos/${repo.id}`)).required_contexts, ['ci/linux'], 'required')
		await until(() => page.getByRole('img', { name: 'Badge of all contexts' }).evaluate((i) => i.naturalWidth > 0), 'badge')
		await page.getByLabel('Context of the badge').selectOption('ci/linux')
		const markdown = await page.getByRole('region', { name: 'Markdown of the badge' }).innerText()
		assert(markdown.includes(`${a.url}/api/v1/repos/${repo.full_name}/badge.svg?context=ci%2Flinux`), markdown)
		await go(at('refs'))
		await page.getByRole('link', { name: 'checks passed' }).click()
		await page.waitForURL('**/commit/**')
	})

	await test('a queue is removed after a question, and what waits for it ends', async () => {
		await go(at('ci'))
		await press('Remove queue ci/linux')
		await dialog.getByText('The 1 that wait').waitFor()
		await dialog.getByRole('button', { name: 'Remove' }).click()
		await page.getByText('that takes a queue').waitFor()
		await row('topic/third').getByText('its queue was removed').waitFor()
	})

	await test('a gated branch is shown as one, with the candidate that waits for it until its checks passed', async () => {
		await go(at('settings'))
		await page.getByLabel('Gated branches').fill('ma in')
		await press('Sign the lists')
		await page.getByText('neither a branch name').waitFor()
		await page.getByLabel('Gated branches').fill('main')
		await press('Sign the lists')
		await until(async () => (await a.get(`/api/v1/repos/${repo.id}`)).gated_branches.includes('main'), 'the gate')
		await go(at('refs'))
		await row('gated').waitFor()
		const sha = commit(work, 'gated', { gated: '1\n' })
		push()
		await row('waits for main').getByText('checks missing').waitFor()
		await a.api('POST', `/api/v1/repos/${repo.id}/statuses/${sha}`, { state: 'success', context: 'ci/linux' })
		await row('waits for main').waitFor({ state: 'detached' })
		await row('gated').getByText(sha.slice(0, 7)).waitFor()
	})

	await test('another node shows the job, its log and where it ran', async () => {
		const b = await net.node('B', '--bootstrap', a.addr)
		await until(async () => (await b.get(`/api/v1/repos/${repo.id}/commits/${job.commit}/statuses`)).length, 'its status at B')
		const other = await watched(browser, b)
		const there = await other.newPage()
		await there.goto(`${b.url}/#/r/${repo.id}/ci/${job.id}`)
		await there.getByText('elsewhere').waitFor()
		await there.getByRole('region', { name: 'Log' }).getByText('two').waitFor()
		await there.getByRole('link', { name: new RegExp(a.id.slice(-8)) }).first().waitFor()
		equal(await there.getByRole('button', { name: 'Run again' }).count(), 0, 'buttons')
		equal(other.faults, [], 'faults')
		await other.close()
	})

	await test('who is not logged in reads, and is offered nothing to do', async () => {
		const other = await watched(browser, a)
		const guest = await other.newPage()
		await guest.goto(`${a.url}/#/${at('ci', job.id)}`)
		await guest.getByRole('region', { name: 'Log' }).getByText('two').waitFor()
		equal(await guest.getByRole('button', { name: /Cancel|Run again/ }).count(), 0, 'buttons')
		await guest.goto(`${a.url}/#/ci`)
		await guest.getByText('This needs the right').first().waitFor()
		equal(other.faults, [], 'faults')
		await other.close()
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	await browser.close()
	await net.close()
}
done()
