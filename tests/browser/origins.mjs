// Other ways to the node than its own page on its own listener, in a real browser: pages of other sites (CORS), and the
// dashboard on a public listener.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Net, browserOrSkip, done, equal, git, assert, test, watched, workTree } from './lib.mjs'

const browser = await browserOrSkip()
const net = new Net()

// A site with an empty page.
async function site() {
	const server = createServer((_, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>app</title>'))
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	return { server, origin: `http://127.0.0.1:${server.address().port}` }
}

// What fetch gives a page of that site; text of the exception where the browser keeps the answer back.
async function ask(page, url, options) {
	return page.evaluate(
		async ({ url, options }) => {
			try {
				const res = await fetch(url, options)
				return { status: res.status, id: res.headers.get('x-request-id'), length: (await res.text()).length }
			} catch (e) {
				return String(e)
			}
		},
		{ url, options },
	)
}

const listed = await site()
const stranger = await site()
try {
	const a = await net.node('A', '--set', `http.cors_origins=${listed.origin}`, '--set', 'http.public_listen=127.0.0.1:0')
	const open = (await a.get('/api/v1/status')).http[1]
	const repo = await a.api('POST', '/api/v1/repos', { name: 'demo', description: 'for everybody' })
	const work = workTree(net.path('work'), 'first', { 'README.md': '# Hello\n' })
	git(work, 'push', '-q', a.gitUrl(repo), 'main')
	const context = await browser.newContext()
	const [ours, theirs] = [await context.newPage(), await context.newPage()]
	await ours.goto(listed.origin)
	await theirs.goto(stranger.origin)
	const write = {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${a.token}`, 'Idempotency-Key': 'browser-1' },
		body: '{"name":"made-elsewhere"}',
	}

	await test('a page of a listed site reads an answer and its headers', async () => {
		const got = await ask(ours, a.url + '/api/v1/status')
		assert(got.status === 200 && got.id && got.length > 10, JSON.stringify(got))
	})
	await test('and writes with a token, after a preflight', async () => {
		equal((await ask(ours, a.url + '/api/v1/repos', write)).status, 201)
		equal((await ask(ours, a.url + '/api/v1/repos', write)).status, 201)
		equal((await a.get('/api/v1/repos')).filter((r) => r.name === 'made-elsewhere').length, 1)
	})
	await test('but never with a cookie', async () => {
		const got = await ask(ours, a.url + '/api/v1/status', { credentials: 'include' })
		assert(/TypeError/.test(got), JSON.stringify(got))
	})
	await test('a page of another site gets nothing', async () => {
		for (const options of [undefined, { ...write, body: '{"name":"stolen"}' }]) {
			const got = await ask(theirs, a.url + '/api/v1/repos', options)
			assert(/TypeError/.test(got), JSON.stringify(got))
		}
		assert(!(await a.get('/api/v1/repos')).some((r) => r.name === 'stolen'), 'nothing was made')
	})
	await context.close()

	await test('the dashboard on a public listener shows what is public, without a fault', async () => {
		const visitor = await watched(browser, { url: open })
		const page = await visitor.newPage()
		await page.goto(open + '/#/repos')
		await page.getByText('for everybody').waitFor()
		await page.goto(`${open}/#/r/${repo.full_name}`)
		await page.getByText('Hello').first().waitFor()
		equal(visitor.faults.join('\n'), '', 'faults')
		await visitor.close()
	})
} finally {
	await browser.close()
	listed.server.close()
	stranger.server.close()
	await net.close()
}
done()
