// Forms, tables and lists of the pages that are fetched when they are first shown.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { canAdmin, canRead, canWrite } from './session'
import { visible } from './text'
import { attempt } from './ui'

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

export function Field({
	label,
	hint,
	children,
}: {
	label: string
	hint?: string
	children: (ids: { id: string; 'aria-describedby'?: string }) => ComponentChildren
}) {
	const id = useId()
	return (
		<div class="field">
			<label for={id}>{label}</label>
			{children({ id, 'aria-describedby': hint ? id + '-hint' : undefined })}
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

export const Tabs = ({ label, items }: { label: string; items: [string, string, boolean][] }) => (
	<nav class="tabs" aria-label={label}>
		{items.map(([to, text, on]) => (
			<a href={to} aria-current={on ? 'page' : undefined}>
				{text}
			</a>
		))}
	</nav>
)

export type FormEvent = Event & { readonly currentTarget: HTMLFormElement }
export const fields = (e: FormEvent) => {
	e.preventDefault()
	return Object.fromEntries([...new FormData(e.currentTarget)].map(([k, v]) => [k, String(v)]))
}
