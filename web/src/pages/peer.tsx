// One peer: its link, what it does in gossip and how that is scored, its offences, and what happened with it.
import { useState } from 'preact/hooks'
import { act, ApiError, get, getFacts, type NodeEvent, type Peer, type Schemas } from '../api'
import { EventRow } from '../eventrow'
import { hello, useLive } from '../live'
import { Addr, Needs, useBusy } from '../parts'
import { canAdmin } from '../session'
import { Ago, bytes, Copy, num, plain, rtt, shortPeer, T } from '../text'
import { Badge, Card, Empty, Facts, Head, Loaded } from '../ui'
import { Ban, until } from './ban'
import { ComponentTable } from './mesh'
import { Conduct } from './offences'

const EVENTS = 30

interface Known {
	peer?: Schemas['PeerDetail']
	ban?: Schemas['Ban']
	gossip?: Schemas['GossipPeer']
}

// What is not there is no error here: a peer may be banned, or only remembered.
const orNone = (e: unknown) => {
	if (e instanceof ApiError && e.status === 404) return undefined
	throw e
}

async function load(id: string, signal: AbortSignal): Promise<Known> {
	const [peer, bans, gossip] = await Promise.all([
		get('/api/v1/peers/{peer}', { path: { peer: id }, signal }).catch(orNone),
		get('/api/v1/bans', { signal }),
		get('/api/v1/gossip/peers', { signal }),
	])
	return { peer, ban: bans.find((b) => b.peer === id), gossip: gossip.find((g) => g.peer === id) }
}

function Link({ p }: { p: Peer }) {
	return (
		<Card title="Link" after={<Badge tone="ok">connected</Badge>}>
			<Facts
				rows={[
					['Direction', p.direction === 'outbound' ? 'dialled by us' : 'dialled us'],
					['Address', <Addr s={p.remote_address} />],
					['Transport', plain(p.transport)],
					['Agent', <T s={p.agent || '–'} />],
					['Since', <Ago t={p.connected_at} />],
					['Last seen', <Ago t={p.last_seen} />],
					['RTT', rtt(p.rtt_us)],
					['Traffic', `${bytes(p.bytes_in)} in, ${bytes(p.bytes_out)} out`],
					['Repositories', p.speaks_guts ? num(p.repositories) : 'a plain libp2p peer'],
				]}
			/>
		</Card>
	)
}

const Lines = ({ title, lines }: { title: string; lines: string[] }) => (
	<Card title={title}>
		{lines.length ? (
			<ul class="rows">
				{lines.map((s) => (
					<li key={s}>
						<Addr class="grow" s={s} />
						<Copy text={s} what={title.toLowerCase()} />
					</li>
				))}
			</ul>
		) : (
			<Empty>It told of none.</Empty>
		)}
	</Card>
)

function Past({ id }: { id: string }) {
	const past = useLive(
		'events of ' + id,
		async (signal) => {
			const { events } = await get('/api/v1/status', { signal })
			const since = Math.max(events.oldest - 1, events.newest - 5000, 0)
			return (await getFacts({ peer: id, since, limit: 1000 }, signal)).reverse().slice(0, EVENTS)
		},
		(e: NodeEvent) => e.peer === id && e.id !== undefined,
		1000,
	)
	return (
		<Card title="Events">
			<Loaded of={past}>
				{(list) =>
					list.length ? (
						<ul class="events">
							{list.map((e) => (
								<EventRow key={e.id} e={e} />
							))}
						</ul>
					) : (
						<Empty>Nothing lately.</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}

function Actions({ id, known, onChange }: { id: string; known: Known; onChange(): void }) {
	const [busy, run] = useBusy()
	const [asking, setAsking] = useState(false)
	const path = { peer: id }
	const then = async (what: Promise<unknown>, said: string) => {
		if (await run(what, said)) onChange()
	}
	return (
		<span class="buttons">
			{known.peer && (
				<button type="button" disabled={busy} onClick={() => then(act('DELETE', '/api/v1/peers/{peer}', { path }), 'Disconnected')}>
					Disconnect
				</button>
			)}
			{known.ban ? (
				<button type="button" disabled={busy} onClick={() => then(act('DELETE', '/api/v1/peers/{peer}/ban', { path }), 'Ban lifted')}>
					Lift the ban
				</button>
			) : (
				<button type="button" disabled={busy} onClick={() => setAsking(true)}>
					Ban…
				</button>
			)}
			<Ban
				peer={asking ? id : undefined}
				onClose={() => {
					setAsking(false)
					onChange()
				}}
			/>
		</span>
	)
}

export function PeerPage({ id }: { id: string }) {
	const known = useLive(
		'peer ' + id,
		(s) => load(id, s),
		(e) => (e.peer === id && e.type.startsWith('peer.')) || e.type === 'node.rates',
		2000,
	)
	const self = hello.value?.id === id
	const k = known.data
	return (
		<>
			<Head text={`Peer ${shortPeer(id)}`} after={!self && canAdmin.value && k && <Actions id={id} known={k} onChange={known.reload} />} />
			<p class="badges">
				<span class="id">
					<code class="wrap">{plain(id)}</code>
					<Copy text={id} what="peer id" />
				</span>
			</p>
			{self ? (
				<p class="notice">
					This is the node itself: see the <a href="#/">overview</a>.
				</p>
			) : (
				<Loaded of={known}>
					{({ peer, ban, gossip }) => (
						<>
							{ban && (
								<p class="notice bad">
									Banned {until(ban.until)}: <T s={ban.reason} />
								</p>
							)}
							<div class="columns">
								<div>
									{peer ? (
										<Link p={peer} />
									) : (
										<Card title="Link" after={<Badge>not connected</Badge>}>
											<Empty>There is no link to this peer now.</Empty>
										</Card>
									)}
									{peer && <Conduct s={peer.standing} />}
									{peer && <Lines title="Addresses" lines={peer.addresses} />}
								</div>
								<div>
									<Past id={id} />
									{peer && <Lines title="Protocols" lines={peer.protocols} />}
								</div>
							</div>
							{gossip && (
								<Card title="Gossip score by component">
									<ComponentTable rows={[gossip]} />
								</Card>
							)}
						</>
					)}
				</Loaded>
			)}
			{!canAdmin.value && !self && <Needs scope="admin">{null}</Needs>}
		</>
	)
}
