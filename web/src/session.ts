// Who this browser is to the node: anonymous, or a session with scopes.
import { computed, signal } from '@preact/signals'
import { ApiError, act, get, onDenied, setCsrf, type Session } from './api'
import { epoch, streamAgain } from './live'

export const session = signal<Session | undefined>(undefined)
export const loginError = signal('')

type Scope = Session['scopes'][number]
const can = (...any: Scope[]) =>
	computed(() => {
		const have = session.value?.scopes ?? []
		return have.includes('admin') || any.some((s) => have.includes(s))
	})
export const canRead = can('read', 'write')
export const canWrite = can('write')
export const canAdmin = can('admin')

export async function loadSession() {
	try {
		const now = await get('/api/v1/session')
		setCsrf(now.csrf)
		session.value = now
	} catch (e) {
		if (e instanceof ApiError && e.status) session.value = { kind: 'anonymous', scopes: [], csrf: null }
	}
}

// Exchange a code or a token for the cookie.
export async function login(what: { code?: string; token?: string }) {
	const now = await act<Session>('POST', '/api/v1/session', {}, what)
	setCsrf(now.csrf)
	session.value = now
	loginError.value = ''
	streamAgain()
	epoch.value++
}

export async function logout() {
	await act('DELETE', '/api/v1/session')
	setCsrf(null)
	await loadSession()
	streamAgain()
	epoch.value++
}

// A session that the node forgot (restart, expiry) is asked for again, at most once in a while.
let asked = 0
onDenied(() => {
	if (Date.now() - asked < 3000 || session.value?.kind === 'anonymous') return
	asked = Date.now()
	void loadSession()
})
