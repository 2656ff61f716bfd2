// Links to other nodes, and what keeps some from being there.
import { useState } from 'preact/hooks'
import { act, get, getPage, type Peer, type Query } from '../api'
import { useLive } from '../live'
import { href, replace, route } from '../router'
import { canAdmin } from '../session'
import { Ago, bytes, num, PeerId, plural, rtt, shortPeer, T } from '../text'
import { Addr, type Column, Field, fields, type FormEvent, Needs, Pager, Search, Select, Table, Tabs, useBusy, useTyped } from '../parts'
import { Badge, Card, Empty, Head, Loaded } from '../ui'
import { AddressBook } from './addresses'
import { Ban, Bans } from './ban'
import { Offences } from './offences'

const SIZE = 50
const peerEvent = (e: { type: string }) => e.type.startsWith('peer.')

function Connect() {
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const form = e.currentTarget
		const { address } = fields(e)
		if (await run(act('POST', '/api/v1/peers', {}, { address: address!.trim() }), 'Connected')) form.reset()
	}
	return (
		<Card title="Connect to a peer">
			<Needs scope="admin">
				<form class="inline" onSubmit={submit}>
					<Field label="Address" hint="As another node shows it under “Listening”, e.g. /ip4/192.0.2.7/tcp/9000/p2p/12D3…">
						{(ids) => (
							<input {...ids} name="address" required maxLength={639} autocomplete="off" spellcheck={false} class="mono" />
						)}
					</Field>
					<button class="primary" disabled={busy}>
						{busy ? 'Dialling…' : 'Connect'}
					</button>
				</form>
			</Needs>
		</Card>
	)
}

function columns(onBan: (p: Peer) => void): Column<Peer>[] {
	const all: Column<Peer>[] = [
		{ name: 'Peer', sort: 'id', cell: (p) => <PeerId id={p.id} /> },
		{
			name: 'Direction',
			cell: (p) => (
				<Badge tone={p.direction === 'outbound' ? 'info' : 'quiet'}>{p.direction === 'outbound' ? 'out' : 'in'}</Badge>
			),
		},
		{
			name: 'Agent',
			sort: 'agent',
			class: 'text',
			cell: (p) => (
				<>
					<T s={p.agent || '–'} />
					<Addr class="sub" s={p.remote_address} />
				</>
			),
		},
		{ name: 'RTT', sort: 'rtt', class: 'n', cell: (p) => rtt(p.rtt_us) },
		{ name: 'In', sort: 'bytes_in', class: 'n', cell: (p) => bytes(p.bytes_in) },
		{ name: 'Out', sort: 'bytes_out', class: 'n', cell: (p) => bytes(p.bytes_out) },
		{ name: 'Since', sort: 'connected', cell: (p) => <Ago t={p.connected_at} /> },
		{
			name: 'Repos',
			class: 'n',
			cell: (p) => (p.speaks_guts ? num(p.repositories) : <span title="a plain libp2p peer">–</span>),
		},
		{ name: 'Score', sort: 'score', class: 'n', cell: (p) => <Badge tone={p.score ? 'warn' : 'ok'}>{num(p.score)}</Badge> },
	]
	if (canAdmin.value)
		all.push({
			name: 'Actions',
			class: 'actions',
			cell: (p) => (
				<>
					<Disconnect peer={p} />
					<button type="button" class="small" onClick={() => onBan(p)} aria-label={`Ban ${shortPeer(p.id)}`}>
						Ban…
					</button>
				</>
			),
		})
	return all
}

function Disconnect({ peer }: { peer: Peer }) {
	const [busy, run] = useBusy()
	return (
		<button
			type="button"
			class="small"
			disabled={busy}
			aria-label={`Disconnect ${shortPeer(peer.id)}`}
			onClick={() => run(act('DELETE', '/api/v1/peers/{peer}', { path: { peer: peer.id } }), 'Disconnected')}
		>
			Disconnect
		</button>
	)
}

function Dials() {
	const dials = useLive(
		'dials',
		(s) => get('/api/v1/dials', { signal: s }),
		(e) => peerEvent(e) || e.type === 'node.rates',
		4000,
	)
	return (
		<Card title="Dials under way and failed">
			<Loaded of={dials}>
				{(list) =>
					list.length ? (
						<ul class="rows">
							{list.map((d) => (
								<li key={d.address}>
									<span class="grow">
										<Addr s={d.address} />
										{d.error === null ? <Badge tone="info">dialling</Badge> : <T class="sub bad" s={d.error} />}
									</span>
									<span class="quiet">
										{plural(d.tries, 'try', 'tries')}, <Ago t={d.last_try} />
									</span>
								</li>
							))}
						</ul>
					) : (
						<Empty>None.</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}

function Connected() {
	const q = route.value.query
	const sort = q.get('sort') ?? 'connected'
	const direction = (q.get('direction') ?? '') as '' | 'inbound' | 'outbound'
	const page = Number(q.get('page') ?? 1) || 1
	const set = (next: Query) =>
		replace(href(['peers'], { q: q.get('q') ?? '', sort, direction, ...next } as Record<string, string | number>))
	const [typed, type] = useTyped(q.get('q') ?? '', (v) => set({ q: v }))
	const query = { q: q.get('q') ?? undefined, sort, direction: direction || undefined, page, per_page: SIZE }
	const peers = useLive(
		'peers ' + JSON.stringify(query),
		(s) => getPage('/api/v1/peers', { query, signal: s }),
		(e) => peerEvent(e) || e.type === 'node.rates',
		2000,
	)
	const [ban, setBan] = useState<string | undefined>() // '' = of whom is asked
	return (
		<>
			<Card>
				<div class="bar">
					<Search label="Id, address or agent" value={typed} onInput={type} />
					<Select
						label="Direction"
						value={direction}
						options={[
							['', 'both directions'],
							['inbound', 'dialled us'],
							['outbound', 'dialled by us'],
						]}
						onChange={(v) => set({ direction: v })}
					/>
					<span class="quiet" role="status">
						{peers.data && plural(peers.data.total < 0 ? peers.data.items.length : peers.data.total, 'peer')}
					</span>
				</div>
				<Loaded of={peers}>
					{({ items, total, more }) => (
						<>
							{items.length ? (
								<Table
									label="Connected peers"
									columns={columns((p) => setBan(p.id))}
									rows={items}
									rowKey={(p) => p.id}
									sort={sort}
									onSort={(by) => set({ sort: by })}
								/>
							) : (
								<Empty>{query.q || direction ? 'No peer is like that.' : 'No peer is connected.'}</Empty>
							)}
							<Pager page={page} size={SIZE} total={total} more={more} onPage={(p) => set({ page: p })} />
						</>
					)}
				</Loaded>
			</Card>
			<Connect />
			<div class="columns">
				<Bans onBan={() => setBan('')} />
				<Dials />
			</div>
			<Ban peer={ban} onClose={() => setBan(undefined)} />
		</>
	)
}

export function Peers() {
	const view = route.value.query.get('view')
	return (
		<>
			<Head text="Peers" />
			<Tabs
				label="Peers"
				items={[
					['#/peers', 'Connected', !view],
					['#/peers?view=addresses', 'Address book', view === 'addresses'],
					['#/peers?view=offences', 'Offences', view === 'offences'],
				]}
			/>
			{view === 'addresses' ? <AddressBook /> : view === 'offences' ? <Offences /> : <Connected />}
		</>
	)
}
