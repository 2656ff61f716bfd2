// The address book: where this node would find peers, how it knows, and how that went.
import { useState } from 'preact/hooks'
import { get, type Schemas } from '../api'
import { useLive } from '../live'
import { Addr, type Column, Search, Select, Table, useTyped } from '../parts'
import { href, replace, route } from '../router'
import { Ago, num, PeerId, PeerLink, plural, T } from '../text'
import { Badge, Card, Empty, Loaded, type Tone } from '../ui'

type Address = Schemas['Address']
type Source = Schemas['AddressSource']

const SIZE = 50
const SOURCES: Record<Source, string> = {
	configured: 'entered by a person',
	signed: 'signed by the peer',
	identify: 'said by the peer',
	mdns: 'local network',
	inbound: 'said by the peer that dialled us',
	exchange: 'peer exchange',
	dht: 'DHT',
}
const TRUST: Partial<Record<Source, Tone>> = { configured: 'ok', signed: 'ok', identify: 'info', mdns: 'info' }

const columns: Column<Address>[] = [
	{
		name: 'Peer',
		cell: (a) => (
			<>
				<PeerId id={a.peer} />
				<span class="sub">
					{a.connected && <Badge tone="ok">connected</Badge>} {a.anchor && <Badge title="Dialled first after a restart">anchor</Badge>}{' '}
					{a.banned && <Badge tone="bad">banned</Badge>}
				</span>
			</>
		),
	},
	{
		name: 'Addresses',
		class: 'text wide',
		cell: (a) =>
			a.addresses.map((x) => (
				<div key={x.address}>
					<Addr s={x.address} />{' '}
					<span class="quiet">
						<T s={x.netgroup} />
						{x.failures > 0 && `, ${plural(x.failures, 'failure')}`}
					</span>
				</div>
			)),
	},
	{
		name: 'Known',
		cell: (a) => (
			<>
				<Badge tone={TRUST[a.source] ?? 'quiet'}>{SOURCES[a.source] ?? a.source}</Badge>
				{a.teller && a.teller !== a.peer && (
					<span class="sub">
						from <PeerLink id={a.teller} />
					</span>
				)}
			</>
		),
	},
	{ name: 'Heard', cell: (a) => <Ago t={a.seen_at} /> },
	{ name: 'Reached', cell: (a) => (a.table === 'tried' ? <Ago t={a.worked_at} /> : <span class="quiet">never</span>) },
	{
		name: 'Failed',
		cell: (a) =>
			a.failures > 0 ? (
				<>
					{num(a.failures)}×, <Ago t={a.failed_at} />
				</>
			) : (
				<span class="quiet">–</span>
			),
	},
]

export function AddressBook() {
	const q = route.value.query
	const words = q.get('q') ?? ''
	const source = (q.get('source') ?? '') as '' | Source
	const table = (q.get('table') ?? '') as '' | Address['table']
	// Cursors before this page: entries have no numbers to jump to.
	const [before, setBefore] = useState<number[]>([])
	const set = (next: Record<string, string>) => {
		setBefore([])
		replace(href(['peers'], { view: 'addresses', q: words, source, table, ...next }))
	}
	const [typed, type] = useTyped(words, (v) => set({ q: v }))
	const after = before.at(-1) ?? 0
	const query = { q: words || undefined, source: source || undefined, table: table || undefined, after, limit: SIZE }
	const book = useLive(
		'addresses ' + JSON.stringify(query),
		(signal) => get('/api/v1/addresses', { query, signal }),
		(e) => e.type.startsWith('peer.') || e.type === 'node.rates',
		4000,
	)
	const list = book.data
	return (
		<Card>
			<div class="bar">
				<Search label="Peer, address or group" value={typed} onInput={type} />
				<Select
					label="Source"
					value={source}
					options={[['', 'every source'], ...(Object.entries(SOURCES) as [Source, string][])]}
					onChange={(v) => set({ source: v })}
				/>
				<Select
					label="Reached"
					value={table}
					options={[
						['', 'reached or not'],
						['tried', 'reached once'],
						['new', 'hearsay only'],
					]}
					onChange={(v) => set({ table: v })}
				/>
			</div>
			<Loaded of={book}>
				{(some) =>
					some.length ? (
						<Table label="Address book" columns={columns} rows={some} rowKey={(a) => String(a.cursor)} />
					) : (
						<Empty>{words || source || table ? 'No entry is like that.' : 'No address is known.'}</Empty>
					)
				}
			</Loaded>
			{list && (before.length > 0 || list.length === SIZE) && (
				<nav class="pager" aria-label="Pages">
					<button type="button" disabled={!before.length} onClick={() => setBefore(before.slice(0, -1))}>
						Previous
					</button>
					<button type="button" disabled={list.length < SIZE} onClick={() => setBefore([...before, list.at(-1)!.cursor])}>
						Next
					</button>
				</nav>
			)}
		</Card>
	)
}
