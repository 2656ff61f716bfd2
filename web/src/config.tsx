// The options of guts.conf: shown, changed, and what waits for a restart.
import { useRef, useState } from 'preact/hooks'
import { act, get, type Schemas } from './api'
import { useLive } from './live'
import { Field, fields, type FormEvent, Search, Table, useSending } from './parts'
import { bytes, plain, span, T } from './text'
import { Badge, Dialog, Empty, Loaded, toast } from './ui'

type Option = Schemas['ConfigOption']
type Value = Schemas['ConfigValue']

function words({ type }: Option, v: Value | null): string {
	if (Array.isArray(v)) return v.join('\n') || '–'
	if (v === null || v === '') return '–'
	if (type === 'duration') return Number(v) % 1000 ? `${v} ms` : span(Number(v) / 1000)
	return type === 'bytes' ? bytes(Number(v)) : String(v)
}

// As it is typed: what guts.conf says, else what is in force.
function typed(o: Option): string {
	const v = o.file ?? o.value
	if (Array.isArray(v)) return v.join('\n')
	return o.type === 'duration' ? (Number(v) % 1000 ? `${v}ms` : `${Number(v) / 1000}s`) : String(v)
}

const HINTS: Partial<Record<Option['type'], string>> = {
	bytes: 'A number of bytes; K, M or G may follow.',
	duration: 'A number with ms, s, m or h.',
	multiaddr: 'Like /ip4/1.2.3.4/tcp/9000.',
	listen: 'Like 127.0.0.1:8080, https://[::1]:0 or unix:/run/guts.sock.',
}

function Input({ o, ids }: { o: Option; ids: object }) {
	const choices = o.type === 'bool' ? ['true', 'false'] : o.choices
	if (choices.length)
		return (
			<select {...ids} name="value">
				{choices.map((c) => (
					<option selected={c === typed(o)}>{c}</option>
				))}
			</select>
		)
	if (o.list) return <textarea {...ids} name="value" class="mono" rows={4} defaultValue={typed(o)} />
	return <input {...ids} name="value" class="mono" defaultValue={typed(o)} inputMode={o.type === 'number' ? 'numeric' : undefined} />
}

function Edit({ o, onDone }: { o: Option; onDone(): void }) {
	const form = useRef<HTMLFormElement>(null)
	const at = '/' + o.name
	const pointers = [at, ...Array.from({ length: 32 }, (_, i) => `${at}/${i}`)]
	const { busy, of, problem, send } = useSending(form, pointers)
	const change = async (value: Value | null) => {
		let waits = false
		const what = act<Schemas['ConfigChange']>('PATCH', '/api/v1/config', {}, { [o.name]: value })
		if (!(await send(what.then((c) => (waits = c.restart_required.includes(o.name)))))) return
		toast(waits ? `${o.name} is saved: a restart is required` : `${o.name} is saved`)
		onDone()
	}
	const submit = (e: FormEvent) => {
		const text = fields(e).value ?? ''
		const lines = text.split('\n').map((s) => s.trim())
		return change(o.list ? lines.filter(Boolean) : o.type === 'bool' ? text === 'true' : text)
	}
	return (
		<form ref={form} onSubmit={submit}>
			<p>
				<T s={o.help} />
			</p>
			{o.source === 'command line' && (
				<p class="notice warn">The node's command line says {plain(words(o, o.value))}, and goes before guts.conf.</p>
			)}
			{problem}
			<Field
				label={o.name}
				hint={[o.list ? 'One on a line.' : '', HINTS[o.type] ?? '', `Default: ${plain(o.default ?? 'none')}.`].filter(Boolean).join(' ')}
				error={pointers.map(of).find(Boolean)}
			>
				{(ids) => <Input o={o} ids={ids} />}
			</Field>
			{!o.reloadable && <p class="hint">It takes effect at the next start of the node.</p>}
			<footer>
				{o.file !== null && (
					<button type="button" disabled={busy} onClick={() => change(null)}>
						Back to the default
					</button>
				)}
				<button type="button" onClick={onDone}>
					Cancel
				</button>
				<button class="primary" disabled={busy}>
					Save
				</button>
			</footer>
		</form>
	)
}

function Rows({ list, reload }: { list: Option[]; reload(): void }) {
	const [find, setFind] = useState('')
	const [editing, setEditing] = useState<Option | undefined>()
	const lower = find.toLowerCase()
	const shown = list.filter((o) => `${o.name} ${o.help}`.toLowerCase().includes(lower))
	const waiting = list.filter((o) => o.restart_required)
	const done = () => {
		setEditing(undefined)
		reload()
	}
	return (
		<>
			{waiting.length > 0 && (
				<p class="notice warn" role="status">
					A restart is required for {waiting.map((o) => plain(o.name)).join(', ')}.
				</p>
			)}
			<div class="field">
				<Search label="Name or words of an option" value={find} onInput={setFind} />
			</div>
			{shown.length ? (
				<Table<Option>
					label="Configuration"
					rows={shown}
					rowKey={(o) => o.name}
					columns={[
						{
							name: 'Option',
							cell: (o) => (
								<>
									<code>{plain(o.name)}</code>{' '}
									{o.restart_required && <Badge tone="warn" title={`${words(o, o.file)} at the next start`}>restart required</Badge>}
								</>
							),
						},
						{ name: 'Value', class: 'text', cell: (o) => <T class="mono pre" s={words(o, o.value)} /> },
						{ name: 'From', cell: (o) => <Badge tone={o.source === 'default' ? 'quiet' : 'info'}>{o.source}</Badge> },
						{ name: 'Meaning', class: 'text wide', cell: (o) => <T s={o.help} /> },
						{
							name: 'Actions',
							cell: (o) => (
								<button type="button" class="small" aria-label={`Change ${plain(o.name)}`} onClick={() => setEditing(o)}>
									Change
								</button>
							),
						},
					]}
				/>
			) : (
				<Empty>No option like that.</Empty>
			)}
			<Dialog title="Change an option" open={!!editing} onClose={done}>
				{editing && <Edit o={editing} onDone={done} />}
			</Dialog>
		</>
	)
}

export function Config() {
	const config = useLive(
		'config',
		(s) => get('/api/v1/config', { signal: s }),
		(e) => e.type === 'config.changed',
	)
	return <Loaded of={config}>{(list) => <Rows list={list} reload={config.reload} />}</Loaded>
}
