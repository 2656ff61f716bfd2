// The node's REST API, typed by api/openapi.yaml: paths, parameters and answers are those of the
// contract, so a change there that breaks the dashboard is an error of the type check.
import type { components, paths } from 'guts-api'

export type Schemas = components['schemas']
export type Status = Schemas['Status']
export type Peer = Schemas['Peer']
export type Repo = Schemas['Repository']
export type Commit = Schemas['Commit']
export type Entry = Schemas['Entry']
export type LastCommit = Schemas['LastCommit']
export type File = Schemas['File']
export type Message = Schemas['Message']
export type NodeEvent = Schemas['Event']
export type Hello = Schemas['Hello']
export type Session = Schemas['Session']

type Answer<P> = P extends { get: { responses: { 200: { content: { 'application/json': infer T } } } } } ? T : never
type Under = '/api/v1/repos/{owner}/{name}'
type Suffix = keyof paths extends infer K ? (K extends `${Under}${infer S}` ? S : never) : never

export type Query = Record<string, string | number | boolean | undefined>
export interface Ask {
	path?: Record<string, string>
	query?: Query
	signal?: AbortSignal
}
export interface Paged<T> {
	items: T
	total: number // -1: not told
	more: boolean // there is a next page
	next?: string // its cursor, of lists that have one
}

// What went wrong, in words for people.
export class ApiError extends Error {
	constructor(
		readonly status: number,
		message: string,
		readonly code = '',
		readonly fields: { pointer: string; detail: string }[] = [],
	) {
		super(message)
	}
}

// Proof for the node that this page asks; kept beside the cookie, of no use without it.
const KEPT = 'guts.csrf'
let secret = localStorage.getItem(KEPT) ?? ''
export const csrf = () => secret
export function setCsrf(value: string | null) {
	secret = value ?? ''
	if (secret) localStorage.setItem(KEPT, secret)
	else localStorage.removeItem(KEPT)
}

let denied = () => {}
export const onDenied = (call: () => void) => (denied = call)

export function url(template: string, ask: Ask = {}) {
	const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
		const value = ask.path?.[name] ?? ''
		return name === 'path' ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value)
	})
	const query = new URLSearchParams()
	for (const [k, v] of Object.entries(ask.query ?? {})) if (v !== undefined && v !== '') query.set(k, String(v))
	const text = query.toString()
	return text ? `${path}?${text}` : path
}

async function problem(res: Response) {
	let body: Partial<Schemas['Problem']> = {}
	try {
		body = await res.json()
	} catch {
		// Not a problem document: the status has to do.
	}
	const text = body.detail || body.message || body.title || `${res.status} ${res.statusText}`
	if (res.status === 401) denied()
	return new ApiError(res.status, text, body.code, body.errors)
}

export async function send(method: string, target: string, body?: unknown, signal?: AbortSignal) {
	const headers: Record<string, string> = { Accept: 'application/json' }
	if (secret) headers['X-Guts-Csrf'] = secret
	if (body !== undefined) headers['Content-Type'] = 'application/json'
	let res: Response
	try {
		res = await fetch(target, {
			method,
			headers,
			signal,
			body: body === undefined ? undefined : JSON.stringify(body),
			cache: method === 'GET' ? 'no-cache' : 'no-store',
			credentials: 'same-origin',
		})
	} catch (e) {
		if (e instanceof DOMException && e.name === 'AbortError') throw e
		throw new ApiError(0, 'The node does not answer.')
	}
	if (!res.ok) throw await problem(res)
	return res
}

// An answer without a body (204, some 202) is undefined.
const json = async (res: Response) => ((res.headers.get('Content-Type') ?? '').includes('json') ? res.json() : undefined)

export async function get<P extends keyof paths>(path: P, ask: Ask = {}): Promise<Answer<paths[P]>> {
	return json(await send('GET', url(path, ask), undefined, ask.signal))
}

// Facts of the log.
export async function getFacts(query: { since: number; limit: number; repo?: string; peer?: string }, signal: AbortSignal) {
	const page = await get('/api/v1/events', { query, signal })
	return page.events as NodeEvent[] // not CloudEvents, which were not asked for
}

async function paged<T>(res: Response): Promise<Paged<T>> {
	const link = res.headers.get('Link') ?? ''
	return {
		items: await res.json(),
		total: Number(res.headers.get('X-Total-Count') ?? -1),
		more: /rel="?next"?/.test(link),
		next: link.match(/[?&]cursor=(\d+)/)?.[1],
	}
}

export async function getPage<P extends keyof paths>(path: P, ask: Ask = {}): Promise<Paged<Answer<paths[P]>>> {
	return paged(await send('GET', url(path, ask), undefined, ask.signal))
}

// "owner/name", or an id where that pair belongs to another repository.
export const repoBase = (repo: string) => '/api/v1/repos/' + repo.split('/').map(encodeURIComponent).join('/')

export async function getRepo<S extends Suffix>(repo: string, suffix: S, ask: Ask = {}): Promise<Answer<paths[`${Under}${S}`]>> {
	return json(await send('GET', repoBase(repo) + url(suffix, ask), undefined, ask.signal))
}

export async function getRepoPage<S extends Suffix>(
	repo: string,
	suffix: S,
	ask: Ask = {},
): Promise<Paged<Answer<paths[`${Under}${S}`]>>> {
	return paged(await send('GET', repoBase(repo) + url(suffix, ask), undefined, ask.signal))
}

export async function act<T = unknown>(method: string, template: string, ask: Ask = {}, body?: unknown): Promise<T> {
	return json(await send(method, url(template, ask), body, ask.signal))
}

export async function actRepo<T = unknown>(method: string, repo: string, suffix = '', body?: unknown): Promise<T> {
	return json(await send(method, repoBase(repo) + suffix, body))
}
