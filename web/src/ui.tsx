// Parts that all pages share.
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { ApiError } from './api'
import type { Live } from './live'
import { plain, T } from './text'

export const title = signal('')
export const arriving = signal(false) // a page was entered whose heading is not there yet

// The heading of a page: it names the window, and gets the focus when the page is entered.
export function Head({ text, children, after }: { text: string; children?: ComponentChildren; after?: ComponentChildren }) {
	const h1 = useRef<HTMLHeadingElement>(null)
	useEffect(() => {
		title.value = plain(text)
	}, [text])
	useEffect(() => {
		if (arriving.peek() && document.activeElement?.id === 'main') h1.current?.focus({ preventScroll: true })
		arriving.value = false
	}, [])
	return (
		<header class="page-head">
			<h1 tabIndex={-1} ref={h1}>
				{children ?? text}
			</h1>
			{after}
		</header>
	)
}

export const Card = ({
	title,
	after,
	children,
	class: c,
}: {
	title?: string
	after?: ComponentChildren
	children: ComponentChildren
	class?: string
}) => (
	<section class={'card ' + (c ?? '')}>
		{title && (
			<header>
				<h2>{title}</h2>
				{after}
			</header>
		)}
		{children}
	</section>
)

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'quiet'
export const Badge = ({ tone = 'quiet', children, title }: { tone?: Tone; children: ComponentChildren; title?: string }) => (
	<span class={'badge ' + tone} title={title}>
		{children}
	</span>
)

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>

export const Problem = ({ error }: { error: ApiError | undefined }) =>
	error ? (
		<div class="notice bad" role="alert">
			<T s={error.message} />
			{error.fields.map((f) => (
				<div>
					<code>{plain(f.pointer)}</code> <T s={f.detail} />
				</div>
			))}
		</div>
	) : null

// What a load gives: itself, a word that it is under way, or why not.
export function Loaded<T>({ of, children }: { of: Live<T>; children: (data: T) => ComponentChildren }) {
	if (of.data !== undefined)
		return (
			<>
				{of.error && of.error.status !== 0 && <Problem error={of.error} />}
				{children(of.data)}
			</>
		)
	if (of.error) return <Problem error={of.error} />
	return <p class="loading">Loading…</p>
}

// -- notices that come and go, read out by screen readers

interface Toast {
	id: number
	tone: Tone
	text: string
}
export const toasts = signal<Toast[]>([])
let toastId = 0
export function toast(text: string, tone: Tone = 'ok') {
	const id = ++toastId
	toasts.value = [...toasts.value.slice(-3), { id, tone, text: plain(text) }]
	setTimeout(() => (toasts.value = toasts.value.filter((t) => t.id !== id)), tone === 'bad' ? 10_000 : 5000)
}

// Do something and say how it went.
export async function attempt(what: Promise<unknown>, done?: string) {
	try {
		await what
		if (done) toast(done)
		return true
	} catch (e) {
		toast(e instanceof Error ? e.message : String(e), 'bad')
		return false
	}
}

export function Dialog({
	title,
	open,
	onClose,
	children,
}: {
	title: string
	open: boolean
	onClose(): void
	children: ComponentChildren
}) {
	const ref = useRef<HTMLDialogElement>(null)
	const id = useId()
	useEffect(() => {
		if (open && !ref.current?.open) ref.current?.showModal()
		if (!open && ref.current?.open) ref.current.close()
	}, [open])
	return (
		<dialog ref={ref} aria-labelledby={id} onClose={onClose}>
			{open && (
				<>
					<header>
						<h2 id={id}>{title}</h2>
						<button type="button" class="icon" aria-label="Close" onClick={onClose}>
							<svg viewBox="0 0 16 16" aria-hidden="true">
								<path d="m4 4 8 8m0-8-8 8" />
							</svg>
						</button>
					</header>
					{children}
				</>
			)}
		</dialog>
	)
}

export const Facts = ({ rows, wide }: { rows: [string, ComponentChildren][]; wide?: boolean }) => (
	<dl class={wide ? 'facts wide' : 'facts'}>
		{rows.map(([k, v]) => (
			<div>
				<dt>{k}</dt>
				<dd>{v}</dd>
			</div>
		))}
	</dl>
)
