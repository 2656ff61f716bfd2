// Reads the node's event stream: one connection, resumed where it broke.
//
// EventSource hides why a connection failed and drops events of types that it was not told of, so
// this reads the stream with fetch.  It runs in the SharedWorker, or in the page where there is none.
import type { Hello, NodeEvent } from './api'

export type State = 'connecting' | 'open' | 'lost' | 'denied'
export type FromStream =
	| { t: 'state'; state: State; hello?: Hello; opened: number }
	| { t: 'events'; events: NodeEvent[]; old?: boolean }
	| { t: 'reset'; hello: Hello }
export type ToStream = { t: 'join'; csrf: string } | { t: 'leave' } | { t: 'again'; csrf: string } | { t: 'now' }

const SILENCE_MS = 45_000 // the node sends something every 15 s
const RETRY_MS = [250, 500, 1000, 2000, 4000]
const BATCH_MS = 40
const KEPT_RATES = 300

export class Stream {
	private state: State = 'connecting'
	private hello?: Hello
	private opened = 0 // how often it was opened
	private last = ''
	private csrf = ''
	private tries = 0
	private abort?: AbortController
	private timer = 0
	private watch = 0
	private batch: NodeEvent[] = []
	private flush = 0
	private rates: NodeEvent[] = []

	constructor(private readonly out: (m: FromStream) => void) {}

	// For a page that joins later: where we are, and the rates of the last minutes.
	current(): FromStream[] {
		const known: FromStream[] = [{ t: 'state', state: this.state, hello: this.hello, opened: this.opened }]
		if (this.rates.length) known.push({ t: 'events', events: this.rates, old: true })
		return known
	}

	start(csrf: string) {
		this.csrf = csrf
		if (!this.abort && !this.timer) void this.run()
	}

	// With other rights, or after "denied".
	again(csrf: string) {
		this.csrf = csrf
		this.stop()
		void this.run()
	}

	// The page is looked at or the network came back: no need to wait.
	now() {
		if (this.state === 'lost' && this.timer) {
			clearTimeout(this.timer)
			this.timer = 0
			void this.run()
		}
	}

	stop() {
		clearTimeout(this.timer)
		clearTimeout(this.watch)
		this.timer = 0
		this.abort?.abort()
		this.abort = undefined
	}

	private set(state: State) {
		if (state === this.state && state !== 'open') return
		this.state = state
		this.out({ t: 'state', state, hello: this.hello, opened: this.opened })
	}

	private async run() {
		const abort = new AbortController()
		this.abort = abort
		const headers: Record<string, string> = { Accept: 'text/event-stream' }
		if (this.csrf) headers['X-Guts-Csrf'] = this.csrf
		if (this.last) headers['Last-Event-ID'] = this.last
		try {
			this.heard(abort)
			const res = await fetch('/api/v1/events', {
				headers,
				signal: abort.signal,
				cache: 'no-store',
				credentials: 'same-origin',
			})
			if (res.status === 401 || res.status === 403) {
				this.stop()
				this.set('denied')
				return
			}
			if (res.ok && res.body) await this.read(res.body, abort)
		} catch {
			// Refused, cut or silent: all the same to us.
		}
		if (this.abort !== abort) return // started anew meanwhile
		this.stop()
		this.set('lost')
		const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)] ?? 4000
		this.timer = setTimeout(
			() => {
				this.timer = 0
				void this.run()
			},
			wait * (0.8 + Math.random() * 0.4),
		) as unknown as number
	}

	private heard(abort: AbortController) {
		clearTimeout(this.watch)
		this.watch = setTimeout(() => abort.abort(), SILENCE_MS) as unknown as number
	}

	private async read(body: ReadableStream<Uint8Array>, abort: AbortController) {
		const reader = body.getReader()
		const decoder = new TextDecoder()
		let rest = ''
		let frame = { event: '', data: '', id: '' }
		for (;;) {
			const { value, done } = await reader.read()
			if (done) return
			this.heard(abort)
			const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r/)
			rest = lines.pop() ?? ''
			for (const line of lines) {
				if (line === '') {
					this.frame(frame.event, frame.data, frame.id)
					frame = { event: '', data: '', id: '' }
					continue
				}
				const colon = line.indexOf(':')
				const name = colon < 0 ? line : line.slice(0, colon)
				const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
				if (name === 'data') frame.data += (frame.data ? '\n' : '') + text
				else if (name === 'event' || name === 'id') frame[name] = text
			}
		}
	}

	private frame(event: string, data: string, id: string) {
		if (id) this.last = id
		if (!data) return
		let value: unknown
		try {
			value = JSON.parse(data)
		} catch {
			return
		}
		if (event === 'hello' || event === 'reset') this.greet(value as Hello, event === 'reset')
		else this.take(value as NodeEvent)
	}

	private greet(hello: Hello, reset: boolean) {
		this.hello = hello
		// Without a fact of our own to resume from, all that follow the newest one.
		if (reset || !this.last) this.last = String(hello.newest)
		if (reset) {
			this.out({ t: 'reset', hello })
			return
		}
		this.tries = 0
		this.opened++
		this.set('open')
	}

	private take(e: NodeEvent) {
		if (e.type === 'node.rates') {
			this.rates.push(e)
			if (this.rates.length > KEPT_RATES) this.rates.shift()
		}
		this.batch.push(e)
		if (this.flush) return
		this.flush = setTimeout(() => {
			this.flush = 0
			const events = this.batch
			this.batch = []
			this.out({ t: 'events', events })
		}, BATCH_MS) as unknown as number
	}
}
