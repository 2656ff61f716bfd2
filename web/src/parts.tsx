// Forms, tables and lists of the pages that are fetched when they are first shown.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ApiError } from './api'
import { go } from './router'
import { canAdmin, canRead, canWrite } from './session'
import { T, visible } from './text'
import { attempt, Dialog, Problem, toast } from './ui'

// -- forms

export function useBusy(): [boolean, (what: Promise<unknown>, done?: string) => Promise<boolean>] {
	const [busy, set] = useState(false)
	return [
		busy,
		async (what, done) => {
			set(true)
			try {
				return await attempt(what, done)
			} finally {
				set(false)
			}
		},
	]
}

// Asks before something is removed; `children` say what that means, `said` that it was done.
export function RemoveDialog({
	what,
	open,
	remove,
	said,
	onRemoved,
	onClose,
	children,
}: {
	what: string
	open: boolean
	remove(): Promise<unknown>
	said: string
	onRemoved(): void
	onClose(): void
	children: ComponentChildren
}) {
	const [busy, run] = useBusy()
	const submit = async (e: Event) => {
		e.preventDefault()
		if (await run(remove(), said)) onRemoved()
	}
	return (
		<Dialog title={`Remove the ${what}`} open={open} onClose={onClose}>
			<form onSubmit={submit}>
				<p>{children}</p>
				<footer>
					<button type="button" onClick={onClose}>
						Cancel
					</button>
					<button class="danger" disabled={busy}>
						Remove
					</button>
				</footer>
			</form>
		</Dialog>
	)
}

interface Sending {
	busy: boolean
	of(pointer: string): string | undefined // what the API says of a field
	problem: ComponentChildren // and what it says of none
	send(what: Promise<unknown>, done?: string): Promise<boolean>
}

// For a form whose answer says which fields are wrong: at `pointers` there is a field that shows it.
export function useSending(form: { readonly current: HTMLElement | null }, pointers: string[]): Sending {
	const [busy, set] = useState(false)
	const [error, setError] = useState<ApiError | undefined>()
	useEffect(() => {
		form.current?.querySelector<HTMLElement>('[aria-invalid] input, [aria-invalid]')?.focus()
	}, [error])
	const atFields = error?.fields.length && error.fields.every((f) => pointers.includes(f.pointer))
	return {
		busy,
		of: (pointer) => error?.fields.find((f) => f.pointer === pointer)?.detail,
		problem: atFields ? null : <Problem error={error} />,
		send: async (what, done) => {
			set(true)
			setError(undefined)
			try {
				await what
				if (done) toast(done)
				return true
			} catch (e) {
				setError(e instanceof ApiError ? e : new ApiError(0, String(e)))
				return false
			} finally {
				set(false)
			}
		},
	}
}

export const Wrong = ({ id, s }: { id?: string; s: string | undefined }) =>
	s ? (
		<small id={id} class="hint bad">
			<T s={s} />
		</small>
	) : null

interface FieldIds {
	id: string
	'aria-describedby'?: string
	'aria-invalid'?: true
}

export function Field({
	label,
	hint,
	error,
	children,
}: {
	label: string
	hint?: string
	error?: string
	children: (ids: FieldIds) => ComponentChildren
}) {
	const id = useId()
	const said = [error && id + '-error', hint && id + '-hint'].filter(Boolean).join(' ')
	return (
		<div class="field">
			<label for={id}>{label}</label>
			{children({ id, 'aria-describedby': said || undefined, 'aria-invalid': error ? true : undefined })}
			<Wrong id={id + '-error'} s={error} />
			{hint && (
				<small id={id + '-hint'} class="hint">
					{hint}
				</small>
			)}
		</div>
	)
}

export const Search = ({ label, value, onInput }: { label: string; value: string; onInput(v: string): void }) => (
	<input
		type="search"
		class="search"
		placeholder={label}
		aria-label={label}
		value={value}
		data-key="/"
		onInput={(e) => onInput(e.currentTarget.value)}
	/>
)

export function Select<V extends string>({
	label,
	value,
	options,
	onChange,
}: {
	label: string
	value: V
	options: readonly (readonly [V, string])[]
	onChange(v: V): void
}) {
	return (
		<select aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value as V)}>
			{options.map(([v, text]) => (
				<option value={v} selected={v === value}>
					{text}
				</option>
			))}
		</select>
	)
}

// A text that follows `value` but waits until typing pauses.
export function useTyped(value: string, set: (v: string) => void): [string, (v: string) => void] {
	const [now, setNow] = useState(value)
	const timer = useRef(0)
	useEffect(() => setNow(value), [value])
	return [
		now,
		(v) => {
			setNow(v)
			clearTimeout(timer.current)
			timer.current = setTimeout(() => set(v), 200) as unknown as number
		},
	]
}

// Says who may do what is not offered.
const RIGHTS = { read: canRead, write: canWrite, admin: canAdmin }
export function Needs({ scope, children }: { scope: keyof typeof RIGHTS; children: ComponentChildren }) {
	if (RIGHTS[scope].value) return <>{children}</>
	return (
		<p class="hint">
			This needs the right <code>{scope}</code>: <a href="#/login">log in</a>.
		</p>
	)
}

// A multiaddr, broken at its slashes.
export const Addr = ({ s, class: c }: { s: string; class?: string }) => (
	<bdi class={'mono addr ' + (c ?? '')}>
		{s.split('/').map((part, i) => (
			<>
				{i > 0 && (
					<>
						<wbr />/
					</>
				)}
				{visible(part)}
			</>
		))}
	</bdi>
)

// -- tables and lists

export interface Column<Row> {
	name: string
	sort?: string // what the API calls it
	class?: string
	cell(row: Row): ComponentChildren
}

export function Table<Row>({
	label,
	columns,
	rows,
	rowKey,
	sort,
	onSort,
	hot,
	onHot,
}: {
	label: string
	columns: Column<Row>[]
	rows: Row[]
	rowKey(row: Row): string
	sort?: string
	onSort?(by: string): void
	hot?: string // key of the row that is pointed at, here or in a picture of the same
	onHot?(key: string): void
}) {
	const by = sort?.replace(/^-/, '')
	const down = sort?.startsWith('-')
	return (
		<div class="table" tabIndex={0} role="region" aria-label={label}>
			<table>
				<thead>
					<tr>
						{columns.map((c) => (
							<th
								scope="col"
								class={c.class}
								aria-sort={c.sort && c.sort === by ? (down ? 'descending' : 'ascending') : undefined}
							>
								{c.sort && onSort ? (
									<button type="button" class="sort" onClick={() => onSort((c.sort === by && !down ? '-' : '') + c.sort)}>
										{c.name}
										<span aria-hidden="true">{c.sort === by ? (down ? ' ↓' : ' ↑') : ''}</span>
									</button>
								) : (
									c.name
								)}
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{rows.map((row) => (
						<tr
							key={rowKey(row)}
							class={hot && hot === rowKey(row) ? 'hot' : undefined}
							onMouseEnter={onHot && (() => onHot(rowKey(row)))}
							onMouseLeave={onHot && (() => onHot(''))}
						>
							{columns.map((c) => (
								<td class={c.class} data-name={c.name}>
									{c.cell(row)}
								</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</div>
	)
}

// For lists by cursor, which only go on; `to` is the address of the page at one.
export function CursorPager({ cursor, next, to }: { cursor?: string; next?: string; to(cursor?: string): string }) {
	if (!cursor && !next) return null
	return (
		<nav class="pager" aria-label="Pages">
			<button type="button" disabled={!cursor} onClick={() => go(to())}>
				Newest
			</button>
			<button type="button" disabled={!next} onClick={() => go(to(next))}>
				Older
			</button>
		</nav>
	)
}

export function Pager({
	page,
	size,
	total,
	more,
	onPage,
}: {
	page: number
	size: number
	total: number
	more: boolean
	onPage(p: number): void
}) {
	if (page === 1 && !more) return null
	return (
		<nav class="pager" aria-label="Pages">
			<button type="button" disabled={page === 1} onClick={() => onPage(page - 1)}>
				Previous
			</button>
			<span>
				Page {page}
				{total >= 0 && ` of ${Math.max(1, Math.ceil(total / size))}`}
			</span>
			<button type="button" disabled={!more} onClick={() => onPage(page + 1)}>
				Next
			</button>
		</nav>
	)
}

export function Tabs({ label, items }: { label: string; items: [string, string, boolean][] }) {
	const nav = useRef<HTMLElement>(null)
	const current = items.findIndex(([, , on]) => on)
	// On a narrow screen they are a row to scroll.
	useEffect(() => nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [current])
	return (
		<nav class="tabs" aria-label={label} ref={nav}>
			{items.map(([to, text, on]) => (
				<a href={to} aria-current={on ? 'page' : undefined}>
					{text}
				</a>
			))}
		</nav>
	)
}

export type FormEvent = Event & { readonly currentTarget: HTMLFormElement }
export const fields = (e: FormEvent) => {
	e.preventDefault()
	return Object.fromEntries([...new FormData(e.currentTarget)].map(([k, v]) => [k, String(v)]))
}
