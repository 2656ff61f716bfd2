// WCAG 2.2 AA as far as axe can judge it: every page, light and dark, wide and narrow.
import { Net, browserOrSkip, commit, done, equal, git, test, until, watched, workTree } from './lib.mjs'

const browser = await browserOrSkip()
const { AxeBuilder } = await import('@axe-core/playwright')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const net = new Net()
try {
	const a = await net.node('A', '--set', 'bridge.allow=loopback', '--set', 'ci.lease=1h')
	const b = await net.node('B', '--bootstrap', a.addr)
	const repo = await a.api('POST', '/api/v1/repos', { name: 'demo', description: 'A small demonstration' })
	const work = workTree(net.path('work'), 'first', {
		'README.md':
			'# Demo\n\n## Part\n\nSee [it](src/main.c).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```c\nint x;\n```\n\n- [x] done\n',
		'src/main.c': '#include <stdio.h>\n/* say */\nint main(void)\n{\n\tprintf("hi %d\\n", 42);\n\treturn sizeof(int);\n}\n',
		'conf.yaml': 'a: 1\nb: [true, "x"]\n',
	})
	const sha = commit(work, 'second\n\nBecause.', { 'src/main.c': 'int main(void)\n{\n\treturn 1;\n}\n', 'new.txt': 'new\n' })
	git(work, 'tag', 'v1')
	git(work, 'push', '-q', a.gitUrl(repo), 'main', 'v1')
	for (const [state, context] of [
		['success', 'ci/a'],
		['failure', 'ci/b'],
		['pending', 'ci/c'],
	])
		await a.api('POST', `/api/v1/repos/${repo.id}/statuses/${sha}`, {
			state,
			context,
			description: 'said',
			target_url: 'https://ci.example.org/1',
		})
	await a.api('PUT', '/api/v1/peers/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/ban', { reason: 'spam' })
	await a.api('POST', '/api/v1/peers', { address: '/ip4/127.0.0.1/tcp/1' }).catch(() => {})
	for (const n of [a, b]) await n.api('PUT', '/api/v1/gossip/topics/chat')
	await a.api('POST', '/api/v1/gossip/topics/chat/messages', { data: 'hello' })
	await a.api('POST', '/api/v1/repos', { name: 'empty' })
	await until(async () => (await a.get('/api/v1/peers')).length, 'peer')

	const hook = await a.api('POST', `/api/v1/repos/${repo.id}/hooks`, { config: { url: 'http://127.0.0.1:9/hook', secret: 'x' } })
	await a.api('POST', `/api/v1/hooks/${hook.id}/pings`)
	const [ping] = await until(async () => {
		const list = await a.get(`/api/v1/hooks/${hook.id}/deliveries`)
		return list[0]?.state === 'dead' && list
	}, 'end of the ping')

	await a.api('POST', `/api/v1/repos/${repo.id}/ci/queues`, { branch_filter: 'none' })
	const job = await a.api('POST', `/api/v1/repos/${repo.id}/ci/jobs`, { commit: sha, runner: 'r', context: 'ci/d' })
	const lease = `/api/v1/ci/leases/${job.lease.id}`
	await a.api('PATCH', lease, { step: 'test', progress: 40 })
	for (const file of ['log', 'out.txt'])
		await fetch(`${a.url}${lease}/files/${file}`, { method: 'PUT', headers: { Authorization: `Bearer ${a.token}` }, body: 'said\n' })

	const at = (...parts) => ['r', repo.full_name, ...parts].join('/')
	const pages = {
		overview: '',
		peers: 'peers',
		'a peer': `peers/${b.id}`,
		'the address book': 'peers?view=addresses',
		offences: 'peers?view=offences',
		network: 'network',
		'the mesh of a topic': 'network?topic=chat',
		repositories: 'repos',
		'create a repository': 'repos?new=create',
		'import a repository': 'repos?new=import',
		files: at(),
		'an empty repository': `r/${a.id}/empty`,
		'no such repository': `r/${a.id}/none`,
		'a file': at('src', 'main', 'src', 'main.c') + '#L2-L4',
		'another file': at('src', 'main', 'conf.yaml'),
		commits: at('commits', 'main'),
		'a commit': at('commit', sha),
		branches: at('refs'),
		authors: at('authors'),
		"an author's refs": at('authors', a.id),
		seeders: at('network'),
		CI: 'ci',
		'CI of a repository': at('ci'),
		'no job': `r/${a.id}/empty/ci`,
		'a job': at('ci', job.id),
		webhooks: 'hooks',
		'webhooks of a repository': at('hooks'),
		'no webhook': `r/${a.id}/empty/hooks`,
		'a webhook': at('hooks', hook.id),
		'a delivery': `hooks/${hook.id}/${ping.id}`,
		'repository settings': at('settings'),
		gossip: 'gossip',
		'a topic': 'gossip/chat',
		scores: 'gossip?view=peers',
		counters: 'gossip?view=counters',
		DHT: 'dht',
		'a lookup': `dht?target=${repo.id}`,
		events: 'events',
		log: 'log',
		settings: 'settings',
		'API reference': 'api',
		'a schema': 'api?schema=Repository',
		'log in': 'login',
		'no such page': 'nowhere',
	}
	for (const [look, options] of Object.entries({
		light: { colorScheme: 'light' },
		dark: { colorScheme: 'dark', reducedMotion: 'reduce' },
		narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
	})) {
		const context = await watched(browser, a, options)
		const page = await context.newPage()
		await page.goto(await a.door())
		await page.getByRole('link', { name: 'Session' }).waitFor()
		for (const [name, to] of Object.entries(pages))
			await test(`${look}: ${name}`, async () => {
				if (name === 'log in') await page.evaluate(() => fetch('/api/v1/session').then((r) => r.ok))
				await page.goto(`${a.url}/#/${to}`)
				await until(
					() => page.evaluate(() => !!document.querySelector('main h1, dialog[open]') && !document.querySelector('.loading')),
					'page',
					30_000,
				)
				if (name.endsWith('file')) await page.locator('.code [class^="hljs-"]').first().waitFor()
				// legacy: no page has a frame, for which alone a second page would be opened each time
				const found = await new AxeBuilder({ page }).setLegacyMode(true).withTags(TAGS).analyze()
				const said = found.violations.map(
					(v) =>
						`${v.id}: ${v.nodes
							.map((x) => `${x.target} ${x.any[0]?.message ?? ''}`)
							.slice(0, 4)
							.join(' | ')}`,
				)
				equal(said, [], 'violations')
				if (look === 'narrow')
					equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'no sideways scrolling')
			})
		equal(context.faults, [], 'faults')
		await context.close()
	}
} finally {
	await browser.close()
	await net.close()
}
done()
