// Webhooks in the dashboard: made, tried, their deliveries seen as they happen, sent again, changed, removed.
import { createServer } from 'node:http'
import { Net, assert, browserOrSkip, commit, done, equal, git, must, test, until, watched, workTree } from './lib.mjs'

// Keeps what arrives, and answers as it is told.
class Receiver {
	seen = []
	status = 200

	async start() {
		this.server = createServer((req, res) => {
			const parts = []
			req.on('data', (d) => parts.push(d))
			req.on('end', () => {
				this.seen.push({ headers: req.headers, body: JSON.parse(Buffer.concat(parts)) })
				res.writeHead(this.status, { 'X-Receiver': 'of the test' }).end('thank you')
			})
		})
		await new Promise((listening) => this.server.listen(0, '127.0.0.1', listening))
		this.url = `http://127.0.0.1:${this.server.address().port}/hook`
		return this
	}

	of(event) {
		return this.seen.filter((s) => s.headers['x-github-event'] === event)
	}
}

const browser = await browserOrSkip()
const net = new Net()
const receiver = await new Receiver().start()
try {
	const a = await net.node('A', '--set', 'bridge.allow=loopback', '--set', 'bridge.retry=1h')
	const repo = await a.api('POST', '/api/v1/repos', { name: 'demo' })
	const work = workTree(net.path('work'), 'first', { 'README.md': '# Demo\n' })
	const context = await watched(browser, a)
	const page = await context.newPage()
	const go = (hash) => page.goto(`${a.url}/#/${hash}`)
	const at = (...parts) => ['r', repo.full_name, ...parts].join('/')
	const press = (name) => page.getByRole('button', { name, exact: true }).click()
	const dialog = page.getByRole('dialog')
	const row = (text) => page.getByRole('row').filter({ hasText: text })
	const secret = 'not to be seen 73'

	await page.goto(await a.door())
	await page.getByRole('link', { name: 'Session' }).waitFor()

	await must('without one the page says how to make one', async () => {
		await go(at('hooks'))
		await page.getByText(`guts hook add --repo ${repo.full_name} https://`).waitFor()
	})

	await test('what is wrong is said at its field', async () => {
		await press('New webhook…')
		await dialog.getByLabel('URL', { exact: true }).fill('ftp://example.org/')
		await dialog.getByRole('button', { name: 'Make' }).click()
		const field = dialog.getByLabel('URL', { exact: true })
		await until(async () => (await field.getAttribute('aria-invalid')) === 'true', 'mark of the field')
		const said = (await field.getAttribute('aria-describedby')).split(' ')[0]
		assert(/http/.test(await page.locator(`[id="${said}"]`).innerText()), 'the reason')
		assert(await field.evaluate((f) => f === document.activeElement), 'the field has the focus')
		await dialog.getByLabel('push', { exact: true }).uncheck()
		await field.fill(receiver.url)
		await dialog.getByRole('button', { name: 'Make' }).click()
		await until(async () => (await dialog.getByRole('group', { name: 'Events' }).getAttribute('aria-invalid')) === 'true', 'mark of the events')
	})

	let id
	await must('one is made, and its secrets are shown nowhere', async () => {
		await dialog.getByLabel('push', { exact: true }).check()
		await dialog.getByLabel('create', { exact: true }).check()
		await dialog.getByLabel('Secret', { exact: true }).fill(secret)
		await dialog.getByLabel('Authorization', { exact: true }).fill(`Bearer ${secret}`)
		await dialog.getByRole('button', { name: 'Make' }).click()
		await page.getByText('with a secret').waitFor()
		await page.getByText('Nothing was delivered yet').waitFor()
		const [hook] = await a.get('/api/v1/hooks')
		id = hook.id
		equal(hook.events, ['push', 'create'], 'events')
		assert(hook.has_authorization_header, 'authorization header')
		await page.waitForURL(`**/#/${at('hooks', id)}`)
	})

	await must('a push is delivered, and the page sees it happen', async () => {
		git(work, 'push', '-q', a.gitUrl(repo), 'main')
		await row('push #').getByText('delivered').waitFor()
		await page.getByText('works', { exact: true }).waitFor()
		equal(receiver.of('push').length, 1, 'pushes at the receiver')
		equal(receiver.of('push')[0].headers.authorization, `Bearer ${secret}`, 'authorization')
	})

	await test('a delivery shows request and answer without what is secret', async () => {
		await row('push #').getByRole('link').first().click()
		await page.getByText('X-GitHub-Event').waitFor()
		await page.getByRole('region', { name: 'Body of the request' }).getByText('"ref": "refs/heads/main"').waitFor()
		await page.getByText('of the test', { exact: true }).waitFor()
		await page.getByRole('region', { name: 'Body of the answer' }).getByText('thank you').waitFor()
		await page.getByText('[not shown]').waitFor()
		assert(!(await page.content()).includes(secret), 'a secret is in the page')
	})

	await test('it is delivered again, with the same id', async () => {
		await press('Deliver again')
		await page.getByText('again', { exact: true }).waitFor()
		await page.getByText('delivered', { exact: true }).waitFor()
		await until(() => receiver.of('push').length === 2, 'second arrival')
		const [x, y] = receiver.of('push').map((s) => s.headers['x-github-delivery'])
		equal(x, y, 'id')
	})

	await test('ping and test are sent when they are asked for', async () => {
		await go(at('hooks', id))
		await press('Ping')
		await row('ping #').getByText('delivered').waitFor()
		await press('Test')
		await until(() => receiver.of('push').length === 3, 'test')
	})

	await test('a failure is seen at once: why, since when, and what waits', async () => {
		receiver.status = 503
		commit(work, 'second')
		git(work, 'push', '-q', a.gitUrl(repo), 'main')
		await row('answered 503').getByText('waiting').waitFor()
		await page.getByText(/answered 503, since/).waitFor()
		await page.getByText('1 waiting').waitFor()
		await page.getByLabel('Which deliveries').selectOption('failure')
		await until(async () => (await page.getByRole('row').count()) === 2, 'one failed delivery')
		receiver.status = 200
	})

	await test('a change keeps the secret unless it is removed', async () => {
		await press('Change…')
		await dialog.getByLabel('Branches', { exact: true }).fill('rel/*')
		await dialog.getByLabel('Active', { exact: true }).uncheck()
		await dialog.getByRole('button', { name: 'Save' }).click()
		await page.getByText('off', { exact: true }).waitFor()
		await page.getByText('with a secret').waitFor()
		const hook = await a.get(`/api/v1/hooks/${id}`)
		equal([hook.branch_filter, hook.active, hook.events], ['rel/*', false, ['push', 'create']], 'hook')
		await press('Change…')
		await dialog.getByLabel('Remove it').first().check()
		await dialog.getByRole('button', { name: 'Save' }).click()
		await page.getByText('with a secret').waitFor({ state: 'detached' })
		equal((await a.get(`/api/v1/hooks/${id}`)).config.secret, undefined, 'secret')
	})

	await test('the node has its own, beside those of its repositories', async () => {
		await go('hooks')
		await page.getByRole('link', { name: receiver.url }).waitFor()
		await page.getByText('name MQTT and NATS servers').waitFor()
		await press('New webhook…')
		await dialog.getByLabel('URL', { exact: true }).fill(receiver.url + '?node')
		await dialog.getByLabel('all', { exact: true }).check()
		equal(await dialog.getByLabel('peer.banned').isDisabled(), true, 'peer.banned is among all')
		await dialog.getByLabel('peer.penalized').check()
		await dialog.getByRole('button', { name: 'Make' }).click()
		await page.getByText('the whole node').waitFor()
		equal((await a.get('/api/v1/hooks')).find((h) => !h.repo).events.join(), '*,peer.penalized', 'events')
		await press('Ping')
		await row('ping #').getByText('delivered').waitFor()
		await page.getByRole('main').getByRole('link', { name: 'Webhooks' }).click()
		await until(async () => (await page.getByRole('main').getByRole('listitem').count()) === 2, 'two webhooks')
	})

	await test('one that is given up is among the events, and leads to its delivery', async () => {
		receiver.status = 410
		const own = (await a.get('/api/v1/hooks')).find((h) => !h.repo).id
		await a.api('POST', `/api/v1/hooks/${own}/pings`)
		await go('events')
		const line = page.getByRole('listitem').filter({ hasText: 'was given up: answered 410' })
		await line.getByRole('link', { name: String(own), exact: true }).click()
		await page.getByRole('main').getByText('given up', { exact: true }).waitFor()
		receiver.status = 200
	})

	await test('older deliveries are on the next page', async () => {
		const own = (await a.get('/api/v1/hooks')).find((h) => !h.repo).id
		for (let i = 0; i < 30; i++) await a.api('POST', `/api/v1/hooks/${own}/pings`)
		await go(`hooks/${own}`)
		await press('Older')
		await page.waitForURL(/cursor=/)
		await row('ping #').first().waitFor()
		await press('Newest')
		await page.waitForURL((u) => !u.hash.includes('cursor'))
	})

	await test('it is removed after a question', async () => {
		await go(at('hooks', id))
		await press('Remove…')
		await dialog.getByRole('button', { name: 'Remove' }).click()
		await page.getByText('No webhook yet').waitFor()
		equal((await a.get('/api/v1/hooks')).length, 1, 'webhooks')
	})

	await test('who is not logged in sees none of it', async () => {
		const other = await watched(browser, a)
		const guest = await other.newPage()
		for (const to of ['hooks', at('hooks')]) {
			await guest.goto(`${a.url}/#/${to}`)
			await guest.getByText('This needs the right').waitFor()
		}
		assert(!(await guest.content()).includes(receiver.url), 'an address is in the page')
		equal(other.faults, [], 'faults')
		await other.close()
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	receiver.server.close()
	await browser.close()
	await net.close()
}
done()
