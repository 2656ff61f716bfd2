// The pages about the network on four real nodes: the picture of links and meshes, a peer, scores, counters, bans.
import { connect } from 'node:net'
import { Net, assert, browserOrSkip, done, equal, must, test, until, watched } from './lib.mjs'

const browser = await browserOrSkip()
const net = new Net()
try {
	const server = ['--set', 'kad.mode=server'] // by itself only a node that somebody dialled
	const a = await net.node('A', ...server)
	const b = await net.node('B', '--bootstrap', a.addr, ...server)
	const c = await net.node('C', '--bootstrap', a.addr, ...server)
	for (const n of [a, b, c]) await n.api('PUT', '/api/v1/gossip/topics/chat')
	await a.api('PUT', '/api/v1/gossip/topics/pairs')
	await b.api('PUT', '/api/v1/gossip/topics/pairs')
	const member = async (topic, peer) =>
		(await a.get(`/api/v1/gossip/topics/${topic}`)).members.find((m) => m.peer === peer.id && m.in_mesh)
	await until(async () => (await member('pairs', b)) && (await member('chat', b)) && (await member('chat', c)), 'meshes')

	const context = await watched(browser, a)
	const page = await context.newPage()
	const go = (hash) => page.goto(`${a.url}/#/${hash}`)
	const heading = (name) => page.getByRole('heading', { level: 1, name }).waitFor()
	const press = (name) => page.getByRole('button', { name, exact: true }).click()
	const end = (n) => n.id.slice(-8)
	await page.goto(await a.door())
	await page.getByRole('link', { name: 'Session' }).waitFor()

	const dot = (n) => page.locator('.graph .dot').filter({ hasText: end(n) })
	const row = (n) => page.getByRole('row').filter({ hasText: end(n) })

	await must('the picture shows each link, and the table the same', async () => {
		await go('network')
		for (const n of [b, c]) {
			await dot(n).waitFor()
			await row(n).getByText('dialled us').waitFor()
			assert(/inbound/.test(await dot(n).getAttribute('class')), 'direction')
		}
		await until(async () => (await page.locator('.graph line.mesh').count()) === 2, 'two links in a mesh')
		await until(
			async () => /2 peers, 2 of them in a mesh/.test(await page.locator('.graph svg').getAttribute('aria-label')),
			'label',
		)
		const places = await page.locator('.graph .dot').evaluateAll((all) =>
			all.map((g) => {
				const r = g.getBoundingClientRect()
				const frame = g.ownerSVGElement.getBoundingClientRect()
				return r.left >= frame.left && r.right <= frame.right && r.top >= frame.top && r.bottom <= frame.bottom
			}),
		)
		equal(places, [true, true, true], 'inside the frame')
	})

	await test('the mesh of one topic', async () => {
		await page.getByLabel('Mesh of', { exact: true }).selectOption('pairs')
		await row(b).getByText('in the mesh').waitFor()
		await row(c).getByText('not subscribed').waitFor()
		await until(async () => (await page.locator('.graph line.mesh').count()) === 1, 'one link in the mesh') // drawn after the table
		await page.reload()
		await row(c).getByText('not subscribed').waitFor()
		equal(await page.getByLabel('Mesh of', { exact: true }).inputValue(), 'pairs', 'topic after a reload')
	})

	let d
	await test('a link that comes or goes is seen without a reload', async () => {
		await go('network')
		await dot(b).waitFor()
		await page.evaluate(() => (window.sameDocument = true))
		d = await net.node('D', '--bootstrap', a.addr)
		await dot(d).waitFor()
		await row(d).waitFor()
		await d.kill()
		await dot(d).waitFor({ state: 'detached' })
		equal(await page.evaluate(() => window.sameDocument), true, 'the document')
	})

	await test('pointing at a peer marks its row, a click opens its page, back returns', async () => {
		await dot(b).locator('circle').hover()
		await until(async () => (await row(b).getAttribute('class')) === 'hot', 'marked row')
		await row(c).hover()
		await until(async () => /hot/.test(await dot(c).getAttribute('class')), 'marked dot')
		await dot(b).locator('circle').click()
		await heading(new RegExp(end(b)))
		await page.goBack()
		await heading('Network')
		await dot(b).waitFor()
	})

	await test('without motion the picture stands at once', async () => {
		const calm = await watched(browser, a, { reducedMotion: 'reduce' })
		const p = await calm.newPage()
		await p.goto(`${a.url}/#/network`)
		await p.locator('.graph .dot').filter({ hasText: end(b) }).waitFor()
		const place = () => p.locator('.graph .dot').first().getAttribute('transform')
		const first = await place()
		await p.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))))
		equal(await place(), first, 'place two frames later')
		equal(calm.faults, [], 'faults')
		await calm.close()
	})

	await test('a peer: its link, score and events, a ban with reason and end, and its lift', async () => {
		await go(`peers/${c.id}`)
		await heading(new RegExp(end(c)))
		await page.getByText('dialled us', { exact: true }).waitFor()
		await page.getByText('/guts/sync/1.0.0').waitFor()
		await page.locator('.events').getByText('connected').first().waitFor()
		await page.getByRole('region', { name: 'Scores of peers' }).getByRole('row').nth(1).waitFor()
		await press('Ban…')
		const form = page.getByRole('dialog')
		await form.getByLabel('Reason', { exact: true }).fill('too loud')
		await form.getByLabel('For how long', { exact: true }).selectOption('one hour')
		await form.getByRole('button', { name: 'Ban', exact: true }).click()
		await page.getByText(/Banned until .*: too loud/).waitFor()
		await page.getByText('not connected', { exact: true }).waitFor()
		const [ban] = await a.get('/api/v1/bans')
		equal([ban.peer, ban.reason, Date.parse(ban.until) - Date.parse(ban.since)], [c.id, 'too loud', 3600_000], 'ban')
		await press('Lift the ban')
		await page.getByText(/Banned until/).waitFor({ state: 'detached' })
		equal(await a.get('/api/v1/bans'), [], 'bans')
		await page.getByText('connected', { exact: true }).waitFor()
	})

	await test('a peer that is not known, and this node itself', async () => {
		await go('peers/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
		await page.getByText('There is no link to this peer now.').waitFor()
		await go(`peers/${a.id}`)
		await page.getByText('This is the node itself').waitFor()
		await go('peers/nonsense')
		await page.locator('main [role=alert]').waitFor()
	})

	await test('the bans of the peers page are made by id and lifted', async () => {
		const other = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
		await go('peers')
		await press('Ban a peer…')
		const form = page.getByRole('dialog')
		await form.getByLabel('Peer id', { exact: true }).fill(other)
		await form.getByLabel('For how long', { exact: true }).selectOption('for ever')
		await form.getByRole('button', { name: 'Ban', exact: true }).click()
		const item = page.getByRole('listitem').filter({ hasText: other.slice(-8) })
		await item.getByText('for ever').waitFor()
		await item.getByText('banned by hand').waitFor()
		await item.getByRole('button', { name: /^Lift/ }).click()
		await item.waitFor({ state: 'detached' })
	})

	await test('offences: every rule with its price, and how often it was broken', async () => {
		await go('peers?view=offences')
		const rules = await a.get('/api/v1/offences')
		const rows = page.getByRole('region', { name: 'Offences' }).locator('tbody tr')
		await until(async () => (await rows.count()) === rules.length, 'a row for each rule')
		const broken = rows.filter({ hasText: 'handshake' }).locator('td[data-name="Broken"]')
		const before = Number(await broken.textContent())
		const stranger = connect(Number(a.addr.match(/\/tcp\/(\d+)/)[1]), '127.0.0.1').on('error', () => {})
		stranger.write('GET / HTTP/1.1\r\n\r\n')
		await until(async () => Number(await broken.textContent()) > before, 'the broken rule')
		stranger.destroy()
		await go(`peers/${b.id}`)
		await page.getByText('It broke no rule.').waitFor()
	})

	await test('the address book: who, where, from whom; searched and filtered', async () => {
		await a.api('POST', '/api/v1/peers', { address: b.addr }).catch(() => {})
		await go('peers')
		await page.getByRole('link', { name: 'Address book' }).click()
		const book = page.getByRole('region', { name: 'Address book' })
		const entry = (n) => book.getByRole('row').filter({ hasText: end(n) })
		const known = await until(async () => (await a.get('/api/v1/addresses')).find((x) => x.peer === b.id && x.connected), 'entry of B')
		await entry(b).getByText('connected').waitFor()
		for (const x of known.addresses) await entry(b).getByText(x.address).first().waitFor()
		await page.getByLabel('Peer, address or group', { exact: true }).fill(end(b))
		await until(async () => (await book.getByRole('row').count()) === 2, 'one entry')
		await page.getByLabel('Source', { exact: true }).selectOption('dht')
		await page.getByText('No entry is like that.').waitFor()
		await page.getByLabel('Source', { exact: true }).selectOption('')
		await entry(b).waitFor()
	})

	await test('the DHT: routing table, a lookup with its hops, providers of a repository', async () => {
		const repo = await b.api('POST', '/api/v1/repos', { name: 'sought' })
		await until(async () => (await a.get('/api/v1/dht')).buckets.some((x) => x.entries.some((e) => e.peer === b.id)), 'B in the table')
		await go('dht')
		const bucket = page.locator('.bucket').filter({ hasText: end(b) })
		await bucket.getByRole('row').filter({ hasText: end(b) }).getByText('connected').waitFor()
		const target = page.getByLabel('Peer id or repository', { exact: true })
		await target.fill(c.id)
		await press('Look up')
		const result = page.getByRole('status').filter({ hasText: /found/ })
		await result.getByText('found', { exact: true }).waitFor()
		await page.getByRole('region', { name: 'Closest peers' }).getByRole('row').filter({ hasText: end(c) }).waitFor()
		await until(async () => (await a.get(`/api/v1/dht/providers/${repo.id}`)).some((x) => x.peer === b.id), 'B as a provider')
		await target.fill(`guts://${repo.id}`)
		await press('Look up')
		await page.getByRole('region', { name: 'Providers' }).getByRole('row').filter({ hasText: end(b) }).waitFor()
		const hops = page.getByRole('region', { name: 'Hops' }).getByRole('row')
		await until(async () => (await hops.count()) > 1, 'a hop')
		await page.reload()
		await page.getByRole('region', { name: 'Providers' }).getByRole('row').filter({ hasText: end(b) }).waitFor()
		await page.goBack()
		await result.getByText('found', { exact: true }).waitFor()
		equal(await target.inputValue(), c.id, 'target after going back')
		await target.fill('nonsense')
		await press('Look up')
		await page.locator('main [role=alert]').waitFor()
		await until(async () => (await a.get('/api/v1/repos')).some((r) => r.id === repo.id), 'the repository at A')
		await go(`r/${repo.full_name}/network`)
		await press('Ask')
		await page.getByRole('region', { name: 'Providers' }).getByRole('row').filter({ hasText: end(b) }).waitFor()
	})

	await test('scores by component, the mesh of a topic, and counters that move', async () => {
		await go('gossip?view=peers')
		await row(b).waitFor()
		const peer = (await a.get('/api/v1/gossip/peers')).find((p) => p.peer === b.id)
		await row(b).getByText(peer.door).waitFor()
		equal((await page.getByRole('columnheader').allTextContents()).slice(2, 10), ['P1', 'P2', 'P3', 'P3b', 'P4', 'P5', 'P6', 'P7'], 'columns')
		await page.getByRole('link', { name: 'Counters' }).click()
		const figure = (name) => page.locator('.facts > div').filter({ hasText: new RegExp(`^${name}`) }).first().locator('dd')
		const before = Number(await figure('delivered').textContent())
		await b.api('POST', '/api/v1/gossip/topics/chat/messages', { data: 'hello' })
		await until(async () => Number(await figure('delivered').textContent()) > before, 'a delivered message')
		const stats = await a.get('/api/v1/gossip/stats')
		equal(await page.locator('.bars').first().locator('li').count(), Object.keys(stats.messages.dropped).length, 'reasons')
		await go('gossip/pairs')
		const members = page.getByRole('region', { name: 'Subscribers' })
		await members.getByRole('row').filter({ hasText: end(b) }).getByText('mesh').waitFor()
		equal(await members.getByRole('row').filter({ hasText: end(c) }).count(), 0, 'rows of a peer that does not subscribe')
		await page.getByRole('link', { name: 'As a picture' }).click()
		await heading('Network')
	})

	await test('every page says that the node is gone, and goes on when it is back', async () => {
		a.keepPorts()
		await a.api('POST', '/api/v1/repos', { name: 'demo' })
		const pages = [
			'', 'peers', 'peers?view=addresses', 'peers?view=offences', `peers/${b.id}`, 'network', 'repos', `r/${a.id}/demo`,
			'gossip', 'gossip?view=peers', 'gossip?view=counters', 'dht', 'events', 'log', 'settings',
		]
		const tabs = []
		for (const to of pages) {
			const tab = await context.newPage()
			await tab.goto(`${a.url}/#/${to}`)
			await tab.locator('main h1').waitFor()
			await until(() => tab.evaluate(() => !document.querySelector('.loading')), to)
			await tab.evaluate(() => (window.sameDocument = true))
			tabs.push(tab)
		}
		await a.kill()
		for (const tab of tabs) await tab.getByText('The node does not answer').waitFor()
		await a.start()
		await b.api('POST', '/api/v1/peers', { address: a.addr }).catch(() => {})
		for (const [i, tab] of tabs.entries()) {
			await tab.getByText('The node does not answer').waitFor({ state: 'detached' })
			await tab.getByText('live', { exact: true }).waitFor()
			await until(() => tab.evaluate(() => !document.querySelector('main [role=alert], main .notice.bad, .loading')), `no error at "${pages[i]}"`)
			equal(await tab.evaluate(() => window.sameDocument), true, 'the document')
		}
		await tabs[pages.indexOf('network')].locator('.graph .dot').filter({ hasText: end(b) }).waitFor()
		await until(async () => /^guts_http_event_streams 1$/m.test(await a.get('/metrics')), 'one stream')
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	await browser.close()
	await net.close()
}
done()
