// The event stream: one per browser however many tabs, and what happens when the node goes away.
import { Net, browserOrSkip, done, equal, test, until, watched } from './lib.mjs'

const TABS = 10

const browser = await browserOrSkip()
const net = new Net()
try {
	const a = await net.node('A')
	a.keepPorts()
	const streams = async () => Number((await a.get('/metrics')).match(/^guts_http_event_streams (\d+)/m)[1])
	const context = await watched(browser, a)
	// The node looks once a second whether the readers of its streams are still there.
	const one = () => until(async () => (await streams()) === 1, 'one open stream')
	const live = (page) => page.getByText('live', { exact: true }).waitFor()
	const tabs = []

	await test(`${TABS} tabs hold one stream, and all of them follow it`, async () => {
		for (let i = 0; i < TABS; i++) {
			const page = await context.newPage()
			await page.goto(i ? `${a.url}/#/repos` : await a.door())
			await live(page)
			tabs.push(page)
		}
		await tabs[0].goto(`${a.url}/#/repos`)
		await one()
		await a.api('POST', '/api/v1/repos', { name: 'for-everyone' })
		await Promise.all(tabs.map((page) => page.getByRole('link', { name: 'for-everyone' }).waitFor()))
		await one()
	})

	await test('closing tabs, the first one too, ends it for nobody', async () => {
		for (const page of tabs.splice(0, TABS - 2)) await page.close()
		await a.api('POST', '/api/v1/repos', { name: 'after-closing' })
		await Promise.all(tabs.map((page) => page.getByRole('link', { name: 'after-closing' }).waitFor()))
		await one()
	})

	await test('a killed node is announced in every tab, and so is its return', async () => {
		for (const page of tabs) await page.evaluate(() => (window.sameDocument = true))
		await a.kill()
		await Promise.all(tabs.map((page) => page.getByRole('alert').getByText('The node does not answer').waitFor()))
		for (const page of tabs) await page.getByRole('link', { name: 'for-everyone' }).waitFor()
		await a.start()
		await Promise.all(tabs.map((page) => page.getByRole('alert').waitFor({ state: 'detached' })))
		await Promise.all(tabs.map(live))
		await a.api('POST', '/api/v1/repos', { name: 'after-return' })
		await Promise.all(tabs.map((page) => page.getByRole('link', { name: 'after-return' }).waitFor()))
		await one()
		for (const page of tabs) equal(await page.evaluate(() => window.sameDocument), true, 'the document')
	})

	await test('what happened while the page was cut off is there afterwards', async () => {
		await a.kill()
		await Promise.all(tabs.map((page) => page.getByRole('alert').waitFor()))
		const [port] = a.args.filter((x) => x.startsWith('127.0.0.1:'))
		a.args = a.args.map((x) => (x === port ? '127.0.0.1:0' : x))
		await a.start()
		await a.api('POST', '/api/v1/repos', { name: 'unseen-then' })
		await a.kill('SIGTERM')
		a.args = a.args.map((x) => (x === '127.0.0.1:0' ? port : x))
		await a.start()
		await Promise.all(tabs.map((page) => page.getByRole('link', { name: 'unseen-then' }).waitFor()))
	})

	await test('a session that the node forgot is asked for again', async () => {
		const page = tabs[0]
		await page.getByRole('banner').getByRole('link', { name: 'Log in' }).waitFor()
		await page.goto(await a.door())
		await page.getByRole('banner').getByRole('link', { name: 'Session' }).waitFor()
		await live(page)
		await one()
		equal(page.url(), a.url + '/', 'address')
	})

	await test('a page whose code was asked for while the node was away is there when it is back', async () => {
		const page = tabs[0]
		await a.kill()
		await page.evaluate(() => (location.hash = '#/dht'))
		await page.getByText('This page could not be fetched').waitFor()
		await a.start()
		await page.getByRole('heading', { name: 'DHT', exact: true }).waitFor()
	})

	await test('without SharedWorker the page has a stream of its own', async () => {
		for (const page of tabs.splice(0)) await page.close()
		const plain = await watched(browser, a)
		await plain.addInitScript(() => delete window.SharedWorker)
		const page = await plain.newPage()
		await page.goto(`${a.url}/#/repos`)
		await live(page)
		await a.api('POST', '/api/v1/repos', { name: 'no-worker' })
		await page.getByRole('link', { name: 'no-worker' }).waitFor()
		equal(plain.faults, [], 'faults')
		await plain.close()
		await until(async () => (await streams()) === 0, 'end of all streams')
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	await browser.close()
	await net.close()
}
done()
