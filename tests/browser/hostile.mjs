// Names and texts of strangers: shown as text, odd characters made visible, nothing runs, nothing is fetched.
import { createServer } from 'node:http'
import { Net, assert, browserOrSkip, commit, done, equal, git, test, until, watched, workTree } from './lib.mjs'

const RUN = 'window.pwned=1'
const IMG = `<img src=x onerror="${RUN}">`
const BIDI = 'gnp\u202egpj.exe\u2066'
const README = `# ${IMG}

<script>${RUN}</script>
<img src=x onerror="${RUN}">
<img src="https://tracker.example.org/pixel.png" alt="a tracker">

![another](//tracker.example.org/p.png) ![up](../../../etc/passwd.png)

<svg onload="${RUN}"><use href="data:image/svg+xml,x#y"/></svg>
<style>body { display: none }</style>
<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>
<form action="https://evil.example.org"><input name=a autofocus onfocus="${RUN}"><button>go</button></form>
<base href="https://evil.example.org/"><meta http-equiv="refresh" content="0;url=https://evil.example.org/">

<a href="javascript:${RUN}" id="main" class="top" style="position:fixed">one</a> [two](javascript:${RUN}) [three](data:text/html,x)
<a href=" java&#10;script:${RUN}">four</a> [five](vbscript:x) [six](//evil.example.org/x) [seven](https://example.org/ok)

<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">
<div data-anchor="x" hidden popover onclick="${RUN}">eight</div>
<details open ontoggle="${RUN}"><summary>nine</summary></details>

[ref]: javascript:${RUN}
`
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="${RUN}"><script>${RUN}</script><rect width="9" height="9"/></svg>`

const browser = await browserOrSkip()
const net = new Net()
let receiver
try {
	const a = await net.node('A', '--set', 'bridge.allow=loopback')
	const b = await net.node('B', '--bootstrap', a.addr)
	const work = workTree(net.path('work'), 'first', { 'README.md': README })
	const author = { GIT_AUTHOR_NAME: `<script>${RUN}</script> \u202eecilA`, GIT_COMMITTER_NAME: IMG, GIT_AUTHOR_EMAIL: '"><b>x' }
	const sha = commit(
		work,
		`${IMG} subject \u202e\u0007 end\n\n<script>${RUN}</script>\njavascript:${RUN}`,
		{
			[`${IMG.replace(/\//g, '')}.txt`]: `${IMG}\n\u202e// hidden\u2066\n<script>${RUN}</script>\n`,
			[BIDI]: 'x\n',
			'picture.svg': SVG,
			'page.html': `<script>${RUN}</script>`,
			'code.c': `/* ${IMG} </span><script>${RUN}</script> \u202e */\nint x;\n`,
		},
		author,
	)
	const branch = '<img/src=x/onerror=window.pwned=1>\u202etxet'
	const repo = await a.api('POST', '/api/v1/repos', { name: 'hostile', description: `${IMG} \u202edesrever` })
	git(work, 'push', '-q', a.gitUrl(repo), 'main')
	let odd = branch
	try {
		git(work, 'push', '-q', a.gitUrl(repo), `main:refs/heads/${branch}`)
	} catch {
		odd = '<img/src=x/onerror=window.pwned=1>'
		git(work, 'push', '-q', a.gitUrl(repo), `main:refs/heads/${odd}`)
	}
	await a.api('POST', `/api/v1/repos/${repo.id}/statuses/${sha}`, { state: 'success', context: IMG, description: `${IMG}\u202e` })
	await a
		.api('POST', `/api/v1/repos/${repo.id}/statuses/${sha}`, { state: 'error', context: 'js', target_url: `javascript:${RUN}` })
		.catch((e) => assert(/ 4(00|22) /.test(e.message), e.message))
	const other = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
	await a.api('PUT', `/api/v1/peers/${other}/ban`, { reason: IMG })
	const topic = `${IMG.replace(/ /g, '/')}`
	for (const n of [a, b]) await n.api('PUT', `/api/v1/gossip/topics/${encodeURIComponent(topic)}`)
	await until(async () => (await b.get('/api/v1/gossip/topics')).find((t) => t.name === topic)?.peers, 'subscription')
	await b.api('POST', `/api/v1/gossip/topics/${encodeURIComponent(topic)}/messages`, {
		data: `${IMG} \u202emessage <script>${RUN}</script>`,
	})
	await until(async () => (await a.get('/api/v1/gossip/messages')).length, 'message')
	await a.api('POST', '/api/v1/tokens', { name: IMG, scopes: ['read'] })

	// a receiver that answers with all that it should not
	const answer = `${IMG}\u202e<script>${RUN}</script>` + 'a'.repeat(1 << 20)
	receiver = createServer((req, res) => {
		req.resume().on('end', () => res.writeHead(500, { 'X-Odd': IMG }).end(answer))
	})
	await new Promise((listening) => receiver.listen(0, '127.0.0.1', listening))
	const url = `http://127.0.0.1:${receiver.address().port}/?q=<script>${RUN}</script>`.replace(/ /g, '')
	const hook = await a.api('POST', `/api/v1/repos/${repo.id}/hooks`, { config: { url }, branch_filter: `${IMG}\u202e`.replace(/[{}]/g, '') })
	await a.api('POST', `/api/v1/repos/${repo.id}/hooks/${hook.id}/tests`)
	const delivery = await until(async () => (await a.get(`/api/v1/hooks/${hook.id}/deliveries`)).find((d) => d.attempts), 'answer')

	// a job whose every text is hostile, with a line of 1 MiB in its log
	await a.api('POST', `/api/v1/repos/${repo.id}/ci/queues`, { context: `${IMG}q`, branch_filter: `${IMG}`.replace(/[{}]/g, '') })
	const job = await a.api('POST', `/api/v1/repos/${repo.id}/ci/jobs`, { commit: sha, context: `${IMG}j`, runner: `<script>${RUN}</script>`, description: IMG })
	const lease = `/api/v1/ci/leases/${job.lease.id}`
	await a.api('PATCH', lease, { step: `<b onclick="${RUN}">` })
	const said = `${IMG} \u202edesrever\u001b]8;;javascript:${RUN}\u0007link\u001b]8;;\u0007 \u001b[31mred\u001b[0m\n<script>${RUN}</script>${'\u202e<b>'.repeat(1 << 17)}\nthe end\n`
	const log = Buffer.from(said)
	for (let n = 0; n < log.length; n += 1 << 20) {
		const body = log.subarray(n, n + (1 << 20))
		await fetch(`${a.url}${lease}/files/log?offset=${n}`, { method: 'PUT', headers: { Authorization: `Bearer ${a.token}` }, body })
	}
	const short = await a.api('POST', `/api/v1/repos/${repo.id}/ci/jobs`, { commit: sha, context: 'short' })
	await fetch(`${a.url}/api/v1/ci/leases/${short.lease.id}/files/log`, { method: 'PUT', headers: { Authorization: `Bearer ${a.token}` }, body: said.slice(0, 200) })

	const context = await watched(browser, a)
	const page = await context.newPage()
	await page.goto(await a.door())
	await page.locator('#peer-id').waitFor()

	const at = (...parts) => ['r', repo.full_name, ...parts.map(encodeURIComponent)].join('/')
	const file = `${IMG.replace(/\//g, '')}.txt`
	// page: address and a text that must be there, as it is or with its odd characters named
	const pages = {
		overview: ['', 'hostile'],
		repositories: ['repos', `${IMG} U+202Edesrever`],
		files: [at(), file],
		'bidi file name': [at(), 'gnpU+202Egpj.exeU+2066'],
		'source of a file': [at('src', 'main', file), 'U+202E// hiddenU+2066'],
		'coloured source': [at('src', 'main', 'code.c'), `</span><script>${RUN}</script> U+202E`],
		'HTML file': [at('src', 'main', 'page.html'), `<script>${RUN}</script>`],
		commits: [at('commits', 'main'), `${IMG} subject U+202EU+0007 end`],
		'author of a commit': [at('commit', sha), 'U+202EecilA'],
		'text of a commit': [at('commit', sha), `javascript:${RUN}`],
		diff: [at('commit', sha), 'U+202E// hiddenU+2066'],
		status: [at('commit', sha), `${IMG}U+202E`],
		branches: [at('refs'), '<img/src=x/onerror=window.pwned=1>'],
		'a branch': [at('src', odd), file],
		authors: [at('authors', a.id), '<img/src=x/onerror=window.pwned=1>'],
		bans: ['peers', IMG],
		'a banned peer': [`peers/${other}`, IMG],
		'no such peer': [`peers/${encodeURIComponent(IMG)}`, 'Peer'],
		'picture of a mesh': [`network?topic=${encodeURIComponent(topic)}`, 'in the mesh'],
		gossip: ['gossip', `${IMG} U+202Emessage <script>${RUN}</script>`],
		topic: [`gossip/${encodeURIComponent(topic)}`, `U+202Emessage`],
		'a lookup of nonsense': [`dht?target=${encodeURIComponent(IMG)}`, 'DHT'],
		events: ['events', IMG],
		tokens: ['settings', IMG],
		'CI of all': ['ci', `${IMG}q`],
		'CI of a repository': [at('ci'), `<script>${RUN}</script>`],
		'a job': [at('ci', job.id), `<b onclick="${RUN}">`],
		'a line of 1 MiB': [at('ci', job.id), 'the end'],
		'a log': [at('ci', short.id), `${IMG} ⟨U+202E⟩desreverlink red`],
		'no such job': [at('ci', encodeURIComponent(IMG)), 'no such'],
		webhooks: ['hooks', `?q=<script>${RUN}</script>`],
		'a webhook': [at('hooks', String(hook.id)), 'U+202E'],
		'a delivery': [`hooks/${hook.id}/${delivery.id}`, 'subject U+202E'],
		'an answer': [at('hooks', String(hook.id), String(delivery.id)), `${IMG}U+202E<script>${RUN}</script>aaaa`],
		'no such webhook': ['hooks/' + encodeURIComponent(IMG), 'no such webhook'],
		'contexts to require': [at('settings'), `+ ${IMG}`],
		'repository settings': [at('settings'), 'Sign a new version'],
		'no such repository': [`r/${encodeURIComponent(IMG)}/${encodeURIComponent(IMG)}`, IMG],
		'no such schema': [`api?schema=${encodeURIComponent(IMG)}`, 'no schema'],
		'no such page': [encodeURIComponent(IMG), 'nothing at this address'],
		'logging in again': ['login', 'Recent events'],
	}
	for (const [name, [to, text]] of Object.entries(pages))
		await test(`${name}: inert and visible`, async () => {
			await page.goto(`${a.url}/#/${to}`)
			await until(async () => (await page.locator('body').innerText()).includes(text), JSON.stringify(text))
			const bad = await page.evaluate(() => ({
				pwned: window.pwned,
				pictures: document.querySelectorAll('img[src="x"], img[onerror]').length,
				scripts: [...document.scripts].filter((s) => !s.src.startsWith(location.origin + '/assets/')).length,
				links: [...document.links].map((l) => l.href).filter((h) => !/^(https?|mailto):/.test(h)),
			}))
			equal(bad, { pwned: undefined, pictures: 0, scripts: 0, links: [] }, 'found')
		})

	await test('a hostile README keeps its words and loses its teeth', async () => {
		await page.goto(`${a.url}/#/${at()}`)
		await page.locator('.markdown').getByText('seven').waitFor()
		const found = await page.locator('.markdown').evaluate((box) => ({
			pwned: window.pwned,
			tags: [...box.querySelectorAll('script, style, iframe, form, input, button, base, meta, svg, math, object, embed')].length,
			attributes: [...box.querySelectorAll('*')]
				.flatMap((e) => e.getAttributeNames())
				.filter((n) => /^on|^style$|^id$|^class$|^popover$|^hidden$/.test(n))
				.filter((n) => n !== 'class'),
			pictures: [...box.querySelectorAll('img')].map((i) => i.src),
			replaced: [...box.querySelectorAll('.picture')].map((s) => s.textContent),
			links: [...box.querySelectorAll('a[href]')].map((l) => [l.textContent, l.getAttribute('href'), l.rel]),
		}))
		equal(found.pwned, undefined, 'code that ran')
		equal(found.tags, 0, 'tags')
		equal(found.attributes, [], 'attributes')
		equal(found.pictures, [], 'pictures')
		equal(found.replaced.slice(2, 5), ['a tracker', 'another', 'up'], 'replaced pictures')
		equal(found.links, [['seven', 'https://example.org/ok', 'noopener noreferrer nofollow ugc']], 'links')
		assert(await page.locator('main').isVisible(), 'the page was hidden')
		equal(await page.locator('#main').count(), 1, 'elements called main')
	})

	await test('a hostile SVG is a picture only', async () => {
		await page.goto(`${a.url}/#/${at('src', 'main', 'picture.svg')}`)
		await page.locator('.image img').waitFor()
		equal(await page.evaluate(() => window.pwned), undefined, 'code that ran')
	})

	await test('raw files are not pages', async () => {
		for (const name of ['page.html', 'picture.svg']) {
			const res = await page.request.get(`${a.url}/api/v1/repos/${repo.id}/raw/${name}`)
			assert(/^text\/plain/.test(res.headers()['content-type']), res.headers()['content-type'])
			equal(res.headers()['x-content-type-options'], 'nosniff', 'nosniff')
			assert(/sandbox/.test(res.headers()['content-security-policy']), 'sandbox')
		}
	})

	await test('nothing was refused by the policy, thrown, or asked of another host', () => equal(context.faults, [], 'faults'))
} finally {
	receiver?.close()
	await browser.close()
	await net.close()
}
done()
