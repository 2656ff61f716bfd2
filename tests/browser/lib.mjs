// What the browser tests share: TAP, temporary folders, live nodes, stock git, and Chromium.
//
// Nothing waits for a time to pass: conditions are awaited, under a deadline that only bounds a failure.
import { spawn, execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const DEADLINE = Number(process.env.GUTS_TEST_DEADLINE ?? 90_000) // [ms] sanitizers and a busy machine are slow
const GUTS = process.env.GUTS ?? 'guts'
export const BUILDDIR = process.env.GUTS_BUILDDIR ?? process.cwd()
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

// -- TAP

let n = 0
let failed = 0

export function ok(good, text, detail) {
	n++
	if (!good) {
		failed++
		if (detail !== undefined) console.log(String(detail).replace(/^/gm, '# '))
	}
	console.log(`${good ? 'ok' : 'not ok'} ${n} - ${text}`)
	return good
}

// A case fails by an exception.
export async function test(text, run) {
	try {
		await run()
		return ok(true, text)
	} catch (e) {
		return ok(false, text, String(e.stack ?? e).replace(/Browser logs:[^]*?(?=\n {4}at )/, ''))
	}
}

// A case that the following ones build on.
export async function must(text, run) {
	if (await test(text, run)) return
	console.log('Bail out! the other cases build on that one')
	throw new Error(text)
}

export function equal(got, wanted, what = 'value') {
	const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)]
	if (a !== b) throw new Error(`${what}: ${a}, not ${b}`)
}
export function assert(good, what) {
	if (!good) throw new Error(what)
}

function skipAll(why) {
	console.log(`1..0 # SKIP ${why}`)
	process.exit(0)
}

export async function until(condition, what, timeout = DEADLINE) {
	const end = Date.now() + timeout
	let last
	for (;;) {
		try {
			const value = await condition()
			if (value) return value
			last = undefined
		} catch (e) {
			last = e
		}
		if (Date.now() > end) throw new Error(`no ${what} within ${timeout / 1000} s${last ? `: ${last.message}` : ''}`)
		await new Promise((done) => setTimeout(done, 50))
	}
}

// -- nodes

export class Node {
	constructor(name, home, args) {
		this.name = name
		this.home = home
		this.args = args
		this.log = home + '.log'
		this.runners = []
	}

	async start() {
		const log = openSync(this.log, 'a')
		this.child = spawn(GUTS, ['run', '--json', '--home', this.home, '--set', 'p2p.mdns=false', ...this.args], { stdio: ['ignore', 'pipe', log] })
		closeSync(log)
		this.ended = new Promise((done) => this.child.once('exit', (code, signal) => done(code ?? signal)))
		let text = ''
		const timer = setTimeout(() => this.child.kill('SIGKILL'), DEADLINE)
		for await (const piece of this.child.stdout) {
			text += piece
			if (text.includes('\n')) break
		}
		clearTimeout(timer)
		if (!text.includes('\n')) throw new Error(`${this.name} ended (${await this.ended}) before it was ready\n${this.tail()}`)
		const ready = JSON.parse(text.slice(0, text.indexOf('\n')))
		equal(ready.event, 'ready', 'first line')
		this.id = ready.peer_id
		this.url = ready.http
		this.addr = ready.listen[0].includes('/p2p/') ? ready.listen[0] : `${ready.listen[0]}/p2p/${ready.peer_id}`
		return this
	}

	get token() {
		return readFileSync(join(this.home, 'admin-token'), 'utf8').trim()
	}

	// The decoded answer; anything but success is an exception.
	async api(method, path, body) {
		const headers = { Authorization: `Bearer ${this.token}`, Accept: 'application/json' }
		if (body !== undefined) headers['Content-Type'] = 'application/json'
		const res = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
		const text = await res.text()
		if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${text}`)
		return text && res.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
	}

	get(path) {
		return this.api('GET', path)
	}

	gitUrl(repo) {
		return `http://guts:${this.token}@${new URL(this.url).host}/${repo.id ?? repo}.git`
	}

	// A runner of CI jobs at this node, `guts ci run`; it ends with the test.
	runner(...args) {
		const child = spawn(GUTS, ['ci', 'run', '--dir', dirname(this.home), ...args], {
			env: { ...process.env, GUTS_URL: this.url, GUTS_TOKEN: this.token },
			stdio: 'ignore',
		})
		this.runners.push(child)
		return child
	}

	// Address that logs a browser in once.
	async door() {
		return (await this.api('POST', '/api/v1/session/code')).url
	}

	// The same ports at the next start.
	keepPorts() {
		const port = new URL(this.url).port
		const p2p = this.addr.match(/\/tcp\/(\d+)/)[1]
		this.args = this.args.map((a) => (a === '127.0.0.1:0' ? `127.0.0.1:${port}` : a.replace('/tcp/0', `/tcp/${p2p}`)))
	}

	async kill(signal = 'SIGKILL') {
		for (const child of this.runners) child.kill()
		if (this.child?.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
		return this.ended
	}

	tail(lines = 30) {
		return existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n').slice(-lines).join('\n') : '(no log)'
	}
}

export class Net {
	dir = mkdtempSync(join(tmpdir(), 'guts-browser-'))
	nodes = []

	path(name) {
		return join(this.dir, name)
	}

	async node(name, ...args) {
		const all = ['--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0', ...args]
		const node = new Node(name, this.path(name), all)
		this.nodes.push(node)
		return node.start()
	}

	async close() {
		if (failed) for (const node of this.nodes) console.log(`-- log of ${node.name}\n${node.tail()}`.replace(/^/gm, '# '))
		await Promise.all(this.nodes.map((node) => node.kill('SIGTERM')))
		rmSync(this.dir, { recursive: true, force: true })
	}
}

// -- git

const GIT_ENV = {
	GIT_CONFIG_NOSYSTEM: '1',
	GIT_CONFIG_GLOBAL: '/dev/null',
	GIT_TERMINAL_PROMPT: '0',
	GIT_ASKPASS: 'true',
	GIT_AUTHOR_NAME: 'Alice',
	GIT_AUTHOR_EMAIL: 'alice@example.org',
	GIT_COMMITTER_NAME: 'Alice',
	GIT_COMMITTER_EMAIL: 'alice@example.org',
	LC_ALL: 'C',
	no_proxy: '*',
	NO_PROXY: '*',
}

// Arguments, then perhaps an object of environment variables.
export function git(cwd, ...args) {
	const env = typeof args.at(-1) === 'object' ? args.pop() : {}
	return execFileSync('git', ['-c', 'init.defaultBranch=main', ...args], {
		cwd,
		encoding: 'utf8',
		env: { ...process.env, ...GIT_ENV, ...env },
		stdio: ['ignore', 'pipe', 'pipe'],
	}).trim()
}

// Write files and commit everything; the commit's id.
export function commit(dir, message, files = {}, env = {}) {
	for (const [name, text] of Object.entries(files)) {
		const path = join(dir, name)
		mkdirSync(dirname(path), { recursive: true })
		writeFileSync(path, text)
	}
	git(dir, 'add', '-A')
	git(dir, 'commit', '-q', '--allow-empty', '-m', message, env)
	return git(dir, 'rev-parse', 'HEAD')
}

export function workTree(dir, message, files) {
	mkdirSync(dir, { recursive: true })
	git(dir, 'init', '-q')
	commit(dir, message, files)
	return dir
}

// -- Chromium

export async function browserOrSkip() {
	if (!existsSync(new URL('node_modules/playwright-core', import.meta.url)))
		skipAll('npm packages are missing: npm ci --ignore-scripts in tests/browser')
	if (!existsSync(CHROMIUM)) skipAll(`no ${CHROMIUM}`)
	const { chromium } = await import('playwright-core')
	return chromium.launch({
		executablePath: CHROMIUM,
		args: [
			...(process.getuid() === 0 ? ['--no-sandbox'] : []),
			'--disable-gpu',
			'--disable-quic',
			'--no-first-run',
			'--disable-background-networking',
			'--disable-component-update',
			'--disable-sync',
		],
	})
}

// A context whose pages keep account of what must not happen: refused scripts and styles (CSP, trusted types),
// exceptions, and requests that leave the node.
export async function watched(browser, node, options = {}) {
	const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 }, ...options })
	context.setDefaultTimeout(DEADLINE)
	context.faults = []
	const origin = new URL(node.url).origin
	await context.exposeFunction('gutsFault', (text) => void context.faults.push(text))
	await context.addInitScript(() => {
		document.addEventListener('securitypolicyviolation', (e) =>
			window.gutsFault(`CSP: ${e.effectiveDirective} ${e.blockedURI} ${e.sample} (${e.sourceFile}:${e.lineNumber})`),
		)
	})
	context.on('request', (r) => {
		if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== origin) context.faults.push(`left the node: ${r.url()}`)
	})
	context.on('weberror', (e) => context.faults.push(`exception: ${e.error().stack ?? e.error()}`))
	context.on('console', (m) => {
		if (m.type() === 'error' && !/Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/.test(m.text()))
			context.faults.push(`console: ${m.text()}`)
	})
	return context
}

export function done() {
	console.log(`1..${n}`)
	process.exitCode = failed ? 1 : 0
}
