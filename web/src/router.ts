// Addresses are in the fragment (#/peers, #/r/OWNER/NAME/src/main/file.c#L3-L7), so that the node need
// not know them.  Addresses that the API gives out (/OWNER/NAME, …/commit/ID) are taken over at start.
import { signal } from '@preact/signals'

export interface Route {
	parts: string[]
	query: URLSearchParams
	lines?: [number, number]
	text: string // all but the lines
}

const PAGES = ['peers', 'repos', 'ci', 'hooks', 'gossip', 'events', 'settings', 'api', 'login']

function decode(s: string) {
	try {
		return decodeURIComponent(s)
	} catch {
		return s
	}
}

export function parse(hash: string): Route {
	const at = hash.match(/#L(\d+)(?:-L?(\d+))?$/)
	const text = (at ? hash.slice(0, at.index) : hash).replace(/^#/, '')
	const [path = '', query = ''] = text.split('?', 2)
	const route: Route = { parts: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query), text }
	if (at) {
		const from = Number(at[1])
		const to = Number(at[2] ?? at[1])
		route.lines = [Math.min(from, to), Math.max(from, to)]
	}
	return route
}

export const route = signal<Route>(parse(''))

export function href(parts: string[], query: Record<string, string | number | undefined> = {}) {
	const q = new URLSearchParams()
	for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== '') q.set(k, String(v))
	const text = q.toString()
	return '#/' + parts.map(encodeURIComponent).join('/') + (text ? '?' + text : '')
}

// `repo` is "owner/name" or an id; `path` keeps its slashes.
export function repoHref(repo: string, parts: string[] = [], path = '', query: Record<string, string | number | undefined> = {}) {
	return href(['r', ...repo.split('/'), ...parts, ...path.split('/').filter(Boolean)], query)
}

export const go = (to: string) => (location.hash = to)

// Change the address without an entry in the history (filters, lines).
export function replace(to: string) {
	history.replaceState(null, '', to)
	route.value = parse(location.hash)
}

// `onCode` is called when a one-time code is put into the address of an open page.
export function startRouter(onCode: (code: string) => void) {
	const path = location.pathname
	if (path !== '/' && path !== '/index.html') {
		const first = decode(path.split('/')[1] ?? '')
		const to = PAGES.includes(first) ? path : '/r' + path
		history.replaceState(null, '', '/#' + to.replace(/\/+$/, '') + location.search + location.hash)
	}
	route.value = parse(location.hash)
	addEventListener('hashchange', () => {
		const code = takeCode()
		if (code) onCode(code)
		route.value = parse(location.hash)
	})
}

// A one-time code in the address is taken out of it before anything else happens.
export function takeCode() {
	const at = location.hash.match(/^#code=([^&#/]+)/)
	if (!at) return ''
	history.replaceState(null, '', '/')
	return decode(at[1]!)
}
