// One person's way through the dashboard, on two real nodes: log in, connect, create, push, read, talk.
import { mkdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { BUILDDIR, Net, assert, browserOrSkip, commit, done, equal, git, must, test, until, watched, workTree } from './lib.mjs'

const README = `# Demo

Hello **world**. See [the program](src/main.c), [below](#more) and ![a dot](dot.png).

| a | b |
| - | - |
| 1 | 2 |

## More

The end.
`
const MAIN = [
	'#include <stdio.h>',
	'',
	'/* greets */',
	'int main(void)',
	'{',
	'\tprintf("hi %d\\n", 42);',
	'\treturn 0;',
	'}',
	'',
].join('\n')
const DOT = Buffer.from(
	'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
	'base64',
)

const browser = await browserOrSkip()
const net = new Net()
try {
	const a = await net.node('A')
	const b = await net.node('B')
	await b.api('PUT', '/api/v1/gossip/topics/chat')
	const context = await watched(browser, a)
	const page = await context.newPage()
	const go = (hash) => page.goto(`${a.url}/#/${hash}`)
	const see = (what, where = page) => where.getByText(what).first().waitFor()
	const heading = (name) => page.getByRole('heading', { level: 1, name }).waitFor()
	const press = (name) => page.getByRole('button', { name, exact: true }).click()

	await must('a one-time code logs in and leaves the address', async () => {
		const door = await a.door()
		assert(door.includes('#code='), `no code in ${door}`)
		await page.goto(door)
		await page.getByText('live', { exact: true }).waitFor()
		await page.getByRole('link', { name: 'Session' }).waitFor()
		equal(page.url(), a.url + '/', 'address')
		const again = await watched(browser, a)
		const other = await again.newPage()
		await other.goto(door)
		await other.getByText('was not taken').waitFor()
		await again.close()
	})

	await test('the overview shows the node', async () => {
		equal(await page.textContent('#peer-id'), a.id, 'peer id')
		await see('ready')
		await see('/ip4/127.0.0.1/tcp/')
		await page.locator('.chart canvas').waitFor()
		const status = await a.get('/api/v1/status')
		await see(status.version)
	})

	await test('the first load is at most 30 KiB, and its parts are kept for ever', async () => {
		const sizes = new Map()
		const fetchRaw = (path) =>
			new Promise((resolve, reject) => {
				request(a.url + path, { headers: { 'Accept-Encoding': 'gzip', Accept: '*/*' } }, (res) => {
					const parts = []
					res.on('data', (d) => parts.push(d))
					res.on('end', () => resolve({ headers: res.headers, body: Buffer.concat(parts) }))
				})
					.on('error', reject)
					.end()
			})
		const html = await (await fetch(a.url)).text()
		for (const path of ['/', ...[...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((m) => m[1])]) {
			const { headers, body } = await fetchRaw(path)
			sizes.set(path, body.length)
			if (path !== '/') assert(headers['cache-control'].includes('immutable'), `${path}: ${headers['cache-control']}`)
			assert(headers.etag, `${path} has no ETag`)
			assert(/require-trusted-types-for 'script'/.test(headers['content-security-policy']), `${path}: policy`)
		}
		const sum = [...sizes.values()].reduce((x, y) => x + y, 0)
		console.log(`# first load without the worker: ${sum} bytes`)
		assert(sizes.size > 4 && sum <= 30 * 1024, JSON.stringify([...sizes]))
	})

	await must('a peer is connected by hand and appears', async () => {
		await go('peers')
		await see('No peer is connected.')
		await page.getByLabel('Address', { exact: true }).fill(b.addr)
		await press('Connect')
		const row = page.getByRole('row').filter({ hasText: b.id.slice(-8) })
		await row.waitFor()
		await row.getByText('out').waitFor()
		await page.getByLabel('Id, address or agent', { exact: true }).fill('no such peer')
		await see('No peer is like that.')
		await page.getByLabel('Id, address or agent', { exact: true }).fill(b.id.slice(-8))
		await row.waitFor()
	})

	await test('a failed dial says why', async () => {
		await page.getByLabel('Address', { exact: true }).fill('/ip4/127.0.0.1/tcp/1')
		await press('Connect')
		await page.locator('.toast.bad').waitFor()
	})

	await test('a ban with its reason is listed and lifted', async () => {
		const other = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
		await a.api('PUT', `/api/v1/peers/${other}/ban`, { reason: 'spam', seconds: 0 })
		const row = page.getByRole('listitem').filter({ hasText: other.slice(-8) })
		await row.getByText('spam').waitFor()
		await row.getByRole('button', { name: 'Lift' }).click()
		await row.waitFor({ state: 'detached' })
	})

	let repo
	await must('a repository is created in the page', async () => {
		await go('repos')
		await press('Create…')
		const form = page.getByRole('dialog')
		await form.getByLabel('Name', { exact: true }).fill('demo')
		await form.getByLabel('Description', { exact: true }).fill('A small demonstration')
		await form.getByRole('button', { name: 'Create' }).click()
		await heading(/demo/)
		await see('Nothing here yet')
		;[repo] = await a.get('/api/v1/repos')
		equal(repo.name, 'demo', 'name')
	})
	const at = (...parts) => ['r', repo.full_name, ...parts].join('/')

	const work = workTree(net.path('work'), 'first light', {
		'README.md': README,
		'src/main.c': MAIN,
		'dot.png': DOT,
		'dos.txt': 'one\r\ntwo\r\n',
		'long.txt': Array.from({ length: 3000 }, (_, i) => `line ${i + 1}`).join('\n'),
	})
	const push = (...refs) => git(work, 'push', '-q', a.gitUrl(repo), ...refs)

	await must('a push appears without a reload', async () => {
		await page.evaluate(() => (window.sameDocument = true))
		push('main')
		await see('first light')
		await see('README.md')
		const sha = commit(work, 'second thoughts', { 'src/main.c': MAIN.replace('hi %d', 'hello %d') })
		push('main')
		await see('second thoughts')
		await go(at('commits', 'main'))
		await see('first light')
		commit(work, 'third time')
		push('main')
		await page.locator('[data-commits] li').filter({ hasText: 'third time' }).waitFor()
		equal(await page.evaluate(() => window.sameDocument), true, 'the document')
		repo.sha = sha
	})

	await test('each entry of the tree says what changed it last', async () => {
		await go(at())
		for (const [name, message] of [['src', 'second thoughts'], ['long.txt', 'first light']]) {
			const entry = page.locator('.tree li').filter({ has: page.getByRole('link', { name, exact: true }) })
			await entry.getByRole('link', { name: message }).waitFor()
			await entry.locator('time').waitFor()
		}
	})

	await test('the README is rendered, with links and pictures of the repository', async () => {
		await go(at())
		await page.locator('.markdown h1', { hasText: 'Demo' }).waitFor()
		await page.locator('.markdown table').waitFor()
		await page.locator('.markdown img[src^="data:image/png;base64,"]').waitFor()
		await page.locator('.markdown').getByRole('link', { name: 'below' }).click()
		await page.getByRole('link', { name: 'the program' }).click()
		await page.locator('.code').waitFor()
		assert(page.url().endsWith('/src/main/src/main.c'), page.url())
	})

	await test('a file has colours and lines that can be pointed at', async () => {
		await page.locator('.code .hljs-string').first().waitFor()
		await page.locator('#L4 a.ln').click()
		await page.locator('#L6 a.ln').click({ modifiers: ['Shift'] })
		assert(page.url().endsWith('#L4-L6'), page.url())
		await until(async () => (await page.locator('.line.on').count()) === 3, 'three marked lines')
		await go(at('src', 'main', 'long.txt') + '#L2500-L2510')
		await page.locator('#L2500.on').waitFor()
		await until(
			() =>
				page.locator('#L2500').evaluate((e) => e.getBoundingClientRect().top < innerHeight && e.getBoundingClientRect().top > 0),
			'line in sight',
		)
	})

	await test("the line ends of Windows are told, not shown in each line", async () => {
		await go(at('src', 'main', 'dos.txt'))
		await see('2 lines, CRLF')
		equal(await page.locator('.line code').allTextContents(), ['one', 'two'], 'lines')
	})

	await test('branches and tags can be switched', async () => {
		git(work, 'checkout', '-q', '-b', 'feature/x')
		commit(work, 'on a branch', { 'only-there.txt': 'x\n' })
		git(work, 'tag', 'v1.0', 'main')
		push('feature/x', 'v1.0')
		await go(at())
		await see('README.md')
		await until(
			() =>
				page
					.getByLabel('Branch or tag', { exact: true })
					.locator('option')
					.allTextContents()
					.then((o) => o.includes('feature/x')),
			'new branch',
		)
		await page.getByLabel('Branch or tag', { exact: true }).selectOption('feature/x')
		await see('only-there.txt')
		await page.goto(`${a.url}/${repo.full_name}/src/feature/x/only-there.txt`)
		await page.locator('.code').waitFor()
		await go(at('refs'))
		await page.getByRole('table', { name: '' }).first().waitFor()
		await see('v1.0')
	})

	await test('a commit shows what it changed, in one column and two', async () => {
		await page.goto(`${a.url}/${repo.full_name}/commit/${repo.sha}`)
		await page.getByRole('heading', { name: 'second thoughts' }).waitFor()
		equal(await page.locator('.diff td.plus').allTextContents(), ['added +\tprintf("hello %d\\n", 42);'], 'added')
		equal(await page.locator('.diff td.minus').allTextContents(), ['removed -\tprintf("hi %d\\n", 42);'], 'removed')
		await press('Side by side')
		await page.locator('.diff.split').waitFor()
		await see('1 file changed')
	})

	await test('a status appears on its commit', async () => {
		await a.api('POST', `/api/v1/repos/${repo.id}/statuses/${repo.sha}`, {
			state: 'failure',
			context: 'ci/unit',
			description: '2 of 9 failed',
			target_url: 'https://ci.example.org/7',
		})
		await see('2 of 9 failed')
		const out = page.getByRole('link', { name: 'ci/unit' })
		equal(await out.getAttribute('href'), 'https://ci.example.org/7', 'address')
		assert((await out.getAttribute('rel')).includes('noreferrer'), 'rel')
		await go(at('commits', 'main'))
		await page
			.locator('[data-commits] li')
			.filter({ hasText: 'second thoughts' })
			.getByLabel('statuses: failure', { exact: true })
			.waitFor()
	})

	await test('authors, seeders and the identity are shown and changed', async () => {
		await go(at('authors'))
		await page
			.getByRole('row')
			.filter({ hasText: a.id.slice(-8) })
			.getByText('delegate')
			.waitFor()
		await page.getByRole('link', { name: /refs of 12D3/ }).click()
		await see('refs/heads/feature/x')
		await go(at('network'))
		await page
			.getByRole('row')
			.filter({ hasText: b.id.slice(-8) })
			.getByText('current')
			.waitFor()
		await press('Sync now')
		await see('Asking all seeders')
		await go(at('settings'))
		await page.getByLabel('Description', { exact: true }).fill('Described anew')
		await press('Sign a new version')
		await page.locator('.lead', { hasText: 'Described anew' }).waitFor()
	})

	await test('a folder is imported, with its progress', async () => {
		await go('repos')
		await press('Import…')
		const form = page.getByRole('dialog')
		await form.getByLabel('Folder or address', { exact: true }).fill(work)
		await form.getByLabel('Name', { exact: true }).fill('imported')
		await form.getByRole('button', { name: 'Import' }).click()
		await form.getByText('Imported.').waitFor()
		await form.getByRole('link', { name: 'Open it' }).click()
		await heading(/imported/)
		await see('README.md')
	})

	await test('a message of another node appears', async () => {
		await go('gossip')
		await page.getByLabel('Subscribe to a topic', { exact: true }).fill('chat')
		await press('Subscribe')
		await page.getByRole('heading', { level: 1, name: 'chat' }).waitFor()
		await until(async () => (await b.get('/api/v1/gossip/topics')).find((t) => t.name === 'chat')?.peers > 0, 'subscription at B')
		await b.api('POST', '/api/v1/gossip/topics/chat/messages', { data: 'hello from B' })
		const message = page.locator('.message').filter({ hasText: 'hello from B' })
		await message.waitFor()
		await message.getByText(b.id.slice(-8)).waitFor()
		await page.getByLabel('Message', { exact: true }).fill('hello from A')
		await press('Publish')
		await page.locator('.message').filter({ hasText: 'hello from A' }).waitFor()
		await until(async () => (await b.get('/api/v1/gossip/messages')).some((m) => m.data === 'hello from A'), 'the message at B')
		await page.reload()
		await message.waitFor()
	})

	await test('events: history, live, filtered, paused', async () => {
		await go('events')
		const first = page.locator('.events.detail li').first()
		await page.locator('.events.detail li').filter({ hasText: 'demo was created here' }).waitFor()
		await a.api('POST', '/api/v1/repos', { name: 'eventful' })
		await page.locator('.events.detail li').filter({ hasText: 'eventful was created here' }).waitFor()
		await page.getByLabel('Type', { exact: true }).selectOption('peer.')
		await page.locator('.events.detail li').filter({ hasText: 'connected' }).first().waitFor()
		await until(async () => (await page.locator('.events.detail li').filter({ hasText: 'repo.' }).count()) === 0, 'end of the others')
		await page.getByLabel('Type', { exact: true }).selectOption('')
		await page.locator('.events.detail li').filter({ hasText: 'eventful was created here' }).waitFor()
		await press('Pause')
		const before = await first.textContent()
		await a.api('POST', '/api/v1/repos', { name: 'unseen' })
		await page.getByRole('button', { name: /Go on \(\d+ new\)/ }).waitFor()
		equal(await first.textContent(), before, 'first line while paused')
		await page.getByRole('button', { name: /Go on/ }).click()
		await page.locator('.events.detail li').filter({ hasText: 'unseen was created here' }).waitFor()
		await page.getByLabel('Repository', { exact: true }).selectOption({ label: 'eventful' })
		await page.locator('.events.detail li').filter({ hasText: 'eventful was created here' }).waitFor()
		await until(async () => (await page.locator('.events.detail li').filter({ hasText: 'unseen' }).count()) === 0, 'end of those of another repository')
	})

	await test('the log: its tail, live, searched, paused', async () => {
		const wrong = (path) => fetch(a.url + path, { headers: { Authorization: 'Bearer wrong' } })
		await wrong('/api/v1/status')
		await go('log')
		const lines = page.locator('.log li')
		const about = (path) => lines.filter({ hasText: `shown for GET ${path}` })
		await about('/api/v1/status').first().waitFor()
		await wrong('/api/v1/peers')
		await about('/api/v1/peers').waitFor()
		await page.getByLabel('Area or words', { exact: true }).fill('API/V1/PEERS')
		await until(async () => (await lines.count()) === 1, 'one line')
		await page.getByLabel('Area or words', { exact: true }).fill('')
		await page.getByLabel('Level', { exact: true }).selectOption('error')
		await see('No line like that.')
		await page.getByLabel('Level', { exact: true }).selectOption('warn')
		await about('/api/v1/peers').waitFor()
		await press('Pause')
		await wrong('/api/v1/bans')
		await page.getByRole('button', { name: /Go on \(\d+ new\)/ }).click()
		await about('/api/v1/bans').waitFor()
		await page.getByLabel('Written', { exact: true }).selectOption('error')
		await until(async () => (await a.get('/api/v1/log/level')).level === 'error', 'the level at the node')
		await page.reload()
		await until(async () => (await page.getByLabel('Written', { exact: true }).inputValue()) === 'error', 'the level shown')
		await page.getByLabel('Written', { exact: true }).selectOption('debug')
		await until(async () => (await a.get('/api/v1/log/level')).level === 'debug', 'the level at the node')
		await page.getByRole('navigation', { name: 'What happened' }).getByRole('link', { name: 'Events' }).click()
		await heading('Events')
		await page.goBack()
		await heading('Log')
	})

	await test('health: what is not well appears with its reason', async () => {
		const hook = await a.api('POST', '/api/v1/hooks', { events: ['ping'], config: { url: 'http://127.0.0.1:1/' } })
		await a.api('POST', `/api/v1/hooks/${hook.id}/pings`)
		await go('')
		await see('the last attempt of 1 of 1 webhooks failed')
		await a.api('DELETE', `/api/v1/hooks/${hook.id}`)
		await page.getByText('the last attempt of 1 of 1').waitFor({ state: 'detached' })
	})

	await test('settings, a token, and the API in words', async () => {
		await go('settings')
		await see('p2p.max_connections')
		await page.getByLabel('Change gossip.expect', { exact: true }).click()
		await page.getByRole('dialog').getByLabel('gossip.expect', { exact: true }).fill('many')
		await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
		await page.getByRole('dialog').getByText('is not a number').waitFor()
		await page.getByRole('dialog').getByLabel('gossip.expect', { exact: true }).fill('2')
		await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
		await page.getByText('gossip.expect is saved').waitFor()
		await page.getByLabel('Change p2p.max_connections', { exact: true }).click()
		await page.getByRole('dialog').getByLabel('p2p.max_connections', { exact: true }).fill('49')
		await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
		await page.getByText('A restart is required for p2p.max_connections.').waitFor()
		await page.getByLabel('Change p2p.max_connections', { exact: true }).click()
		await page.getByRole('button', { name: 'Back to the default' }).click()
		await page.getByText('A restart is required for').waitFor({ state: 'detached' })
		const config = await a.get('/api/v1/config')
		equal(config.find((o) => o.name === 'gossip.expect').value, 2, 'the option at the node')
		await press('New token…')
		const form = page.getByRole('dialog')
		await form.getByLabel('Name', { exact: true }).fill('for a script')
		await form.getByLabel('write', { exact: true }).check()
		await form.getByRole('button', { name: 'Create' }).click()
		await form.getByText('it is not shown again').waitFor()
		const secret = await form.locator('code').textContent()
		equal(
			(await fetch(`${a.url}/api/v1/repos`, { headers: { Authorization: `Bearer ${secret}` } })).status,
			200,
			'with the token',
		)
		await form.getByRole('button', { name: 'Done' }).click()
		await page.getByLabel('Revoke for a script', { exact: true }).click()
		await page.getByText('for a script').waitFor({ state: 'detached' })
		await go('api')
		await page.getByLabel('Path or words', { exact: true }).fill('listBranches')
		await until(async () => (await page.locator('details.operation').count()) === 1, 'one operation that is found')
		await page.locator('details.operation summary').click()
		await page.locator('details.operation').getByRole('link', { name: 'Branch[]' }).click()
		await page.getByRole('heading', { name: 'Branch', exact: true }).waitFor()
	})

	await test('keyboard alone: skip link, shortcuts, search, help, a form', async () => {
		await page.goto(a.url)
		await page.locator('#peer-id').waitFor()
		const focused = (f) => page.evaluate(f)
		await page.keyboard.press('Tab')
		equal(await focused(() => document.activeElement.textContent), 'Skip to content', 'first stop')
		await page.keyboard.press('Enter')
		equal(await focused(() => document.activeElement.id), 'main', 'after the skip link')
		await page.keyboard.press('Tab')
		equal(await focused(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'ring around the focus')
		await page.keyboard.press('?')
		await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
		await page.keyboard.press('Escape')
		await page.getByRole('dialog').waitFor({ state: 'hidden' })
		await page.keyboard.press('g')
		await page.keyboard.press('r')
		await heading('Repositories')
		await until(() => focused(() => document.activeElement.tagName === 'H1'), 'focus on the heading')
		await page.keyboard.press('/')
		equal(await focused(() => document.activeElement.getAttribute('type')), 'search', 'after /')
		await page.keyboard.type('dem')
		await until(async () => (await page.locator('tbody tr').count()) === 1, 'one row')
		await page.getByRole('button', { name: 'Create…' }).focus()
		await page.keyboard.press('Enter')
		const form = page.getByRole('dialog')
		await form.waitFor()
		await form.getByLabel('Name', { exact: true }).focus()
		await page.keyboard.type('by-keyboard')
		await page.keyboard.press('Enter')
		await heading(/by-keyboard/)
		await page.locator('nav.tabs a').first().focus()
		await page.keyboard.press('Tab')
		await page.keyboard.press('Enter')
		await see('No commit yet.')
	})

	await test('without the right to write nothing is offered that would fail', async () => {
		const guest = await watched(browser, a)
		const p = await guest.newPage()
		await p.goto(`${a.url}/#/repos`)
		await p.getByText('by-keyboard').waitFor()
		equal(await p.getByRole('button', { name: 'Create…' }).count(), 0, 'create')
		await p.goto(`${a.url}/#/login`)
		await p.getByLabel('Token', { exact: true }).fill(a.token)
		await p.getByRole('button', { name: 'Log in' }).click()
		await p.getByRole('link', { name: 'Session' }).waitFor()
		await p.goto(`${a.url}/#/settings`)
		await p.getByRole('button', { name: 'Log out' }).click()
		await p.getByRole('banner').getByRole('link', { name: 'Log in' }).waitFor()
		equal(guest.faults, [], 'faults')
		await guest.close()
	})

	await test('removing a repository takes it from the list', async () => {
		await go('repos')
		await page.getByRole('link', { name: 'unseen' }).click()
		await heading(/unseen/)
		await page.getByRole('navigation', { name: 'Repository' }).getByRole('link', { name: 'Settings' }).click()
		await press('Remove from this node…')
		await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
		await heading('Repositories')
		await page.getByRole('link', { name: 'unseen' }).waitFor({ state: 'detached' })
	})

	await test('pictures of the pages', async () => {
		const dir = join(BUILDDIR, 'tests', 'browser', 'shots')
		mkdirSync(dir, { recursive: true })
		const pages = {
			overview: '',
			peers: 'peers',
			repos: 'repos',
			repo: at(),
			file: at('src', 'main', 'src', 'main.c') + '#L4-L6',
			commits: at('commits', 'main'),
			commit: at('commit', repo.sha),
			refs: at('refs'),
			network: at('network'),
			gossip: 'gossip/chat',
			events: 'events',
			log: 'log',
			settings: 'settings',
			api: 'api',
		}
		for (const colorScheme of ['light', 'dark']) {
			await page.emulateMedia({ colorScheme })
			for (const [name, to] of Object.entries(pages)) {
				await go(to)
				await until(() => page.evaluate(() => !document.querySelector('.loading') && !!document.querySelector('h1')), name)
				if (name === 'overview') await page.locator('.chart canvas').waitFor()
				await page.screenshot({ path: join(dir, `${name}-${colorScheme}.png`) })
			}
		}
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	await browser.close()
	await net.close()
}
done()
