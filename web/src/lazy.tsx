// Pages whose code and style are fetched when they are first shown.
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { epoch } from './live'

// Put a style sheet in; settled when it counts (or cannot be had: better plain than nothing).
const styles = new Map<string, Promise<void>>()
export function style(address: string) {
	let put = styles.get(address)
	if (!put) {
		put = new Promise((done) => {
			const css = document.createElement('link')
			css.rel = 'stylesheet'
			css.onload = css.onerror = () => done()
			css.href = address
			document.head.append(css)
		})
		styles.set(address, put)
	}
	return put
}

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
	let loaded: ComponentType<P> | undefined
	return function Lazy(props: P) {
		const [Now, set] = useState<{ of: ComponentType<P> } | undefined>(loaded && { of: loaded })
		const [error, setError] = useState('')
		const [failedAt, setFailedAt] = useState(0)
		useEffect(() => {
			if (loaded) return
			Promise.all([load(), style(PAGES_STYLE)]).then(
				([c]) => {
					loaded = c
					set({ of: c })
				},
				() => {
					setFailedAt(epoch.value)
					setError('This page could not be fetched: the node does not answer, or it is a newer one.')
				},
			)
		}, [])
		const again = !!error && epoch.value > failedAt // the node is back; a browser may remember that a module failed
		useEffect(() => {
			if (again) location.reload()
		}, [again])
		if (error)
			return (
				<p class="notice bad" role="alert">
					{error}{' '}
					<button type="button" onClick={() => location.reload()}>
						Load anew
					</button>
				</p>
			)
		return Now ? <Now.of {...props} /> : <p class="loading">Loading…</p>
	}
}
