// This tab's end of the event stream, and data that keeps itself current.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, csrf, type Hello, type NodeEvent } from './api'
import { Stream, type FromStream, type State, type ToStream } from './stream'
import { scriptUrl } from './trusted'

export const link = signal<State>('connecting')
export const hello = signal<Hello | undefined>(undefined)
export const lostSince = signal(0) // [ms] wall time, 0 = not lost
// Rises when what happened meanwhile may have been missed: everything shown is then loaded anew.
export const epoch = signal(0)

type Listener = (events: NodeEvent[], old: boolean) => void
const listeners = new Set<Listener>()
let opened = 0
let blind = false // something may have been loaded before the stream was open
let tell: (m: ToStream) => void = () => {}
let settled!: () => void
const ready = new Promise<void>((done) => (settled = done))

function settle() {
	blind ||= link.value !== 'open'
	settled()
}

function receive(m: FromStream) {
	switch (m.t) {
		case 'state':
			link.value = m.state
			if (m.hello) hello.value = m.hello
			if (m.state === 'lost') lostSince.value ||= Date.now()
			if (m.state === 'open') {
				lostSince.value = 0
				if (m.opened !== opened && (opened || blind)) epoch.value++
				opened = m.opened
			}
			if (m.state !== 'connecting') settle()
			break
		case 'reset':
			hello.value = m.hello
			epoch.value++
			break
		case 'events':
			for (const call of listeners) call(m.events, m.old === true)
	}
}

function withWorker() {
	const worker = new SharedWorker(scriptUrl(STREAM_WORKER), { name: 'guts', type: 'module' })
	worker.port.onmessage = ({ data }: MessageEvent<FromStream>) => receive(data)
	tell = (m) => worker.port.postMessage(m)
	addEventListener('pagehide', () => tell({ t: 'leave' }))
	addEventListener('pageshow', (e: PageTransitionEvent) => e.persisted && tell({ t: 'join', csrf: csrf() }))
}

function withoutWorker() {
	const stream = new Stream(receive)
	tell = (m) => {
		if (m.t === 'join') stream.start(m.csrf)
		else if (m.t === 'again') stream.again(m.csrf)
		else if (m.t === 'now') stream.now()
	}
}

export function start() {
	if (typeof SharedWorker === 'function') withWorker()
	else withoutWorker()
	tell({ t: 'join', csrf: csrf() })
	const now = () => document.visibilityState === 'visible' && tell({ t: 'now' })
	addEventListener('online', now)
	document.addEventListener('visibilitychange', now)
	setTimeout(settle, 1500)
}

// With the rights that this browser has now.
export const streamAgain = () => tell({ t: 'again', csrf: csrf() })
export const streamNow = () => tell({ t: 'now' })

export function listen(call: Listener) {
	listeners.add(call)
	return () => void listeners.delete(call)
}

export function useEvents(call: Listener, deps: unknown[] = []) {
	useEffect(() => listen(call), deps)
}

export interface Live<T> {
	data?: T
	error?: ApiError
	loading: boolean
	reload(): void
}

// Load, and load again when an event says that it may have changed: at once, but at most every `pause` ms.
// Another key is other data: what was there is dropped.  The stream is up before the first load, so no
// change falls between the two.
export function useLive<T>(
	key: string,
	load: (signal: AbortSignal) => Promise<T>,
	touches?: (e: NodeEvent) => boolean,
	pause = 400,
): Live<T> {
	const [state, set] = useState<{ key: string; data?: T; error?: ApiError; loading: boolean }>({ key, loading: true })
	const hold = useRef({ load, touches })
	hold.current = { load, touches }
	const again = useRef<() => void>(() => {})

	useEffect(() => {
		let abort: AbortController | undefined
		let timer = 0
		let next = 0 // [ms] not before
		let busy = false
		let stale = false
		let gone = false
		const run = async () => {
			timer = 0
			if (busy) {
				stale = true
				return
			}
			busy = true
			stale = false
			next = performance.now() + pause
			abort = new AbortController()
			try {
				const data = await hold.current.load(abort.signal)
				if (!gone) set({ key, data, loading: false })
			} catch (e) {
				if (gone || (e instanceof DOMException && e.name === 'AbortError')) return
				const error = e instanceof ApiError ? e : new ApiError(0, String(e))
				set((old) => ({ key, data: old.key === key && error.status === 0 ? old.data : undefined, error, loading: false }))
			} finally {
				busy = false
			}
			if (stale && !gone) soon()
		}
		const soon = () => {
			if (!timer) timer = setTimeout(run, Math.max(0, next - performance.now())) as unknown as number
		}
		again.current = () => {
			next = 0
			soon()
		}
		set((old) => (old.key === key ? old : { key, loading: true }))
		void ready.then(() => (gone ? undefined : run()))
		const off = listen((events, old) => {
			const test = hold.current.touches
			if (!old && test && events.some(test)) soon()
		})
		const offEpoch = epoch.subscribe(() => next && soon())
		return () => {
			gone = true
			clearTimeout(timer)
			abort?.abort()
			off()
			offEpoch()
		}
	}, [key])

	const mine = state.key === key ? state : { key, loading: true }
	return { ...mine, reload: () => again.current() }
}
