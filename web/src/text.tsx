// Text, most of it written by strangers: shown as text only, with characters that would hide or
// reorder it made visible; and the figures, times and ids of the node in short form.
import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import type { ComponentChildren } from 'preact'

// Controls, bidi overrides and isolates, zero-width and other invisible characters, lone surrogates; a
// joiner only where it joins no emoji.
const ODD =
	/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}|(?<![\p{ExtPict}\ufe0f\p{EMod}])\u200d|\u200d(?!\p{ExtPict})/gu

const codePoint = (c: string) => 'U+' + c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')

// The ends of lines as Windows has them are nothing odd; a text may be the last piece of a line.
const CRLF = /\r(\n|$)/g

// For attributes and titles.
export const plain = (s: string) => s.replace(CRLF, '$1').replace(ODD, (c) => `⟨${codePoint(c)}⟩`)

export function visible(s: string): ComponentChildren {
	const text = s.replace(CRLF, '$1')
	ODD.lastIndex = 0
	if (!ODD.test(text)) return text
	ODD.lastIndex = 0 // matchAll would go on from there
	const out: ComponentChildren[] = []
	let from = 0
	for (const m of text.matchAll(ODD)) {
		if (m.index > from) out.push(text.slice(from, m.index))
		out.push(
			<span class="odd" title="invisible character">
				{codePoint(m[0])}
			</span>,
		)
		from = m.index + m[0].length
	}
	out.push(text.slice(from))
	return out
}

// Text of others, kept apart from its surroundings in right-to-left scripts too.
export const T = ({ s, class: c }: { s: string; class?: string }) => (
	<bdi class={c} title={s.length > 60 ? plain(s) : undefined}>
		{visible(s)}
	</bdi>
)

const count = new Intl.NumberFormat('en')
export const num = (n: number) => count.format(n)

export function bytes(n: number) {
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
	let i = 0
	while (n >= 1024 && i < units.length - 1) {
		n /= 1024
		i++
	}
	return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`
}
export const rate = (n: number) => bytes(n) + '/s'
export const rtt = (us: number | null) =>
	us === null ? '–' : us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms`
export const plural = (n: number, one: string, many = one + 's') => `${num(n)} ${n === 1 ? one : many}`

export function span(s: number) {
	const parts: [number, string][] = [
		[86400, 'd'],
		[3600, 'h'],
		[60, 'min'],
		[1, 's'],
	]
	const at = Math.max(
		0,
		parts.findIndex(([n]) => s >= n),
	)
	const first = parts[s < 1 ? 3 : at]!
	const second = parts[at + 1]
	const a = Math.floor(s / first[0])
	const b = second && s >= 1 ? Math.floor((s - a * first[0]) / second[0]) : 0
	return `${a} ${first[1]}` + (b ? ` ${b} ${second![1]}` : '')
}

// Wall time of this browser, ticking slowly; the node's clock may differ by `skew`.
export const clock = signal(Date.now())
export const skew = signal(0) // [ms] node minus browser
setInterval(() => (clock.value = Date.now()), 5000)

const full = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })
const hour = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

export function ago(iso: string, now = clock.value) {
	const at = Date.parse(iso)
	if (Number.isNaN(at)) return '?'
	const s = (now + skew.value - at) / 1000
	if (s < -90) return full.format(at)
	if (s < 5) return 'just now'
	if (s < 60) return `${Math.floor(s / 5) * 5} s ago`
	if (s < 3600) return `${Math.floor(s / 60)} min ago`
	if (s < 86400) return `${Math.floor(s / 3600)} h ago`
	if (s < 30 * 86400) return plural(Math.floor(s / 86400), 'day') + ' ago'
	return day.format(at)
}

export function Ago({ t }: { t: string | null | undefined }) {
	if (!t) return <>–</>
	const at = Date.parse(t)
	return (
		<time dateTime={plain(t)} title={Number.isNaN(at) ? undefined : full.format(at)}>
			{ago(t)}
		</time>
	)
}
export const Clock = ({ t }: { t: string }) => (
	<time dateTime={t} title={full.format(Date.parse(t))}>
		{hour.format(Date.parse(t))}
	</time>
)

export async function copy(text: string) {
	try {
		await navigator.clipboard.writeText(text)
		return true
	} catch {
		return false
	}
}

export function Copy({ text, what }: { text: string; what: string }) {
	const [done, set] = useState<boolean | undefined>()
	return (
		<button
			type="button"
			class="icon"
			aria-label={done === undefined ? `Copy ${what}` : done ? 'Copied' : 'Copying failed'}
			title={`Copy ${what}`}
			onClick={async () => {
				set(await copy(text))
				setTimeout(() => set(undefined), 1500)
			}}
		>
			<svg viewBox="0 0 16 16" aria-hidden="true">
				{done ? <path d="m3 8.5 3.2 3L13 4.5" /> : <path d="M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8z" />}
			</svg>
		</button>
	)
}

// All peer ids of Ed25519 keys begin alike: their end tells them apart.
export const shortPeer = (id: string) => (id.length > 20 ? `12D3…${plain(id.slice(-8))}` : plain(id))
export const shortRepo = (id: string) => (id.length > 20 ? `${plain(id.slice(0, 8))}…${plain(id.slice(-4))}` : plain(id))
export const shortOid = (id: string) => plain(id.slice(0, 8))

export const peerHref = (id: string) => '#/peers/' + encodeURIComponent(id)
export const PeerLink = ({ id }: { id: string }) => (
	<a href={peerHref(id)} title={plain(id)}>
		<code>{shortPeer(id)}</code>
	</a>
)
export const PeerId = ({ id, copy = true }: { id: string; copy?: boolean }) => (
	<span class="id">
		<PeerLink id={id} />
		{copy && <Copy text={id} what="peer id" />}
	</span>
)
export const Oid = ({ id, copy = true }: { id: string; copy?: boolean }) => (
	<span class="id">
		<code title={plain(id)}>{shortOid(id)}</code>
		{copy && <Copy text={id} what="commit id" />}
	</span>
)
