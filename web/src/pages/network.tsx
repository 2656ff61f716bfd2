// A picture of this node's links and meshes, drawn from what the node tells, and the same as a table.
import { useEffect, useRef, useState } from 'preact/hooks'
import { get, getPage, type Peer, type Schemas } from '../api'
import { Layout } from '../graph'
import { hello, useLive } from '../live'
import { Select, Table } from '../parts'
import { go, href, replace, route } from '../router'
import { bytes, num, peerHref, PeerLink, plain, plural, rtt } from '../text'
import { Badge, Card, Empty, Head, Loaded } from '../ui'

type GossipPeer = Schemas['GossipPeer']
type Member = Schemas['TopicMember']

const PAGES_MAX = 5
const touches = (e: { type: string }) => e.type.startsWith('peer.') || e.type === 'node.rates'

async function allPeers(signal: AbortSignal) {
	const all: Peer[] = []
	for (let page = 1; page <= PAGES_MAX; page++) {
		const some = await getPage('/api/v1/peers', { query: { page, per_page: 100, sort: 'connected' }, signal })
		all.push(...some.items)
		if (!some.more) break
	}
	return all
}

// How a peer takes part: in the mesh that is looked at, subscribed only, or not at all.
type Part = 'mesh' | 'member' | 'none'
const SAID: Record<Part, string> = { mesh: 'in the mesh', member: 'subscribed', none: 'not subscribed' }

interface Link {
	peer: Peer
	part: Part
	meshes: number
	topics: number
	score: number | undefined
}

function joined(peers: Peer[], gossip: GossipPeer[], members: Member[] | undefined): Link[] {
	const byPeer = new Map(gossip.map((g) => [g.peer, g]))
	const byMember = members && new Map(members.map((m) => [m.peer, m]))
	return peers.map((peer) => {
		const g = byPeer.get(peer.id)
		const m = byMember?.get(peer.id)
		const inMesh = byMember ? m?.in_mesh : (g?.meshes ?? 0) > 0
		const subscribed = byMember ? m !== undefined : (g?.topics ?? 0) > 0
		return {
			peer,
			part: inMesh ? 'mesh' : subscribed ? 'member' : 'none',
			meshes: g?.meshes ?? 0,
			topics: g?.topics ?? 0,
			score: g?.score,
		}
	})
}

// A near peer stands near: 0.3 ms at half of the way, 1 s at its end.
const share = (us: number | null) => (us === null ? 0.75 : Math.min(1, 0.5 + Math.log10(Math.max(us, 300) / 300) / 7))
const width = (p: Peer) => 1.2 + Math.min(4, Math.log2(1 + (p.bytes_in + p.bytes_out) / 65536) / 2.5)

function Picture({ links, self, hot, onHot }: { links: Link[]; self: string; hot: string; onHot(id: string): void }) {
	const box = useRef<HTMLDivElement>(null)
	const layout = useRef<Layout | undefined>(undefined)
	const [size, setSize] = useState({ w: 600, h: 400 })
	const [, moved] = useState(0)
	useEffect(() => {
		const still = matchMedia('(prefers-reduced-motion: reduce)').matches
		const made = new Layout(self, () => moved((n) => n + 1), still)
		layout.current = made
		const watch = new ResizeObserver(() => {
			const w = box.current?.clientWidth ?? 0
			if (!w) return
			const h = Math.round(Math.max(300, Math.min(520, w * 0.62)))
			setSize({ w, h })
			made.resize(w, h)
		})
		watch.observe(box.current!)
		return () => {
			watch.disconnect()
			made.stop()
		}
	}, [self])
	useEffect(() => layout.current?.show(links.map((l) => ({ id: l.peer.id, share: share(l.peer.rtt_us) }))), [links, self, size])
	const spot = (id: string) => layout.current?.spots.get(id)
	const mesh = links.filter((l) => l.part === 'mesh').length
	return (
		<div class="graph" ref={box}>
			<svg
				role="img"
				aria-label={`This node and ${plural(links.length, 'peer')}, ${num(mesh)} of them in a mesh with it; the table holds the same`}
				width={size.w}
				height={size.h}
				viewBox={`${-size.w / 2} ${-size.h / 2} ${size.w} ${size.h}`}
			>
				{links.map((l) => {
					const s = spot(l.peer.id)
					return (
						s && (
							<line
								class={`tie ${l.part} ${hot === l.peer.id ? 'hot' : ''}`}
								x2={s.x}
								y2={s.y}
								stroke-width={width(l.peer)}
								key={l.peer.id}
							/>
						)
					)
				})}
				{links.map((l) => {
					const s = spot(l.peer.id)
					return (
						s && (
							<g
								key={l.peer.id}
								class={`dot ${l.peer.direction} ${hot === l.peer.id ? 'hot' : ''}`}
								transform={`translate(${s.x},${s.y})`}
								onMouseEnter={() => onHot(l.peer.id)}
								onMouseLeave={() => onHot('')}
								onClick={() => go(peerHref(l.peer.id))}
							>
								<title>{`${plain(l.peer.id)}\n${plain(l.peer.agent)}\n${SAID[l.part]}, ${rtt(l.peer.rtt_us)}`}</title>
								<circle r={8} />
								<text y={22}>{plain(l.peer.id.slice(-8))}</text>
							</g>
						)
					)
				})}
				<g class="dot self">
					<circle r={13} />
					<text y={28}>this node</text>
				</g>
			</svg>
		</div>
	)
}

const Legend = ({ topic }: { topic: boolean }) => (
	<p class="legend wrapping">
		<span class="key tie mesh">{topic ? 'in the mesh' : 'in a mesh'}</span>
		<span class="key tie member">{topic ? 'subscribed only' : 'subscribed to something'}</span>
		<span class="key tie none">link only</span>
		<span class="key dot outbound">dialled by us</span>
		<span class="key dot inbound">dialled us</span>
		<span>near = answers fast, thick = much traffic</span>
	</p>
)

const columns = (topic: string) => [
	{ name: 'Peer', cell: (l: Link) => <PeerLink id={l.peer.id} /> },
	{
		name: topic ? 'Topic' : 'Gossip',
		cell: (l: Link) =>
			topic || !l.topics ? (
				<Badge tone={l.part === 'mesh' ? 'ok' : l.part === 'member' ? 'info' : 'quiet'}>{SAID[l.part]}</Badge>
			) : (
				`${plural(l.meshes, 'mesh', 'meshes')} of ${plural(l.topics, 'topic')}`
			),
	},
	{ name: 'Direction', cell: (l: Link) => (l.peer.direction === 'outbound' ? 'dialled by us' : 'dialled us') },
	{ name: 'RTT', class: 'n', cell: (l: Link) => rtt(l.peer.rtt_us) },
	{ name: 'Traffic', class: 'n', cell: (l: Link) => bytes(l.peer.bytes_in + l.peer.bytes_out) },
	{ name: 'Score', class: 'n', cell: (l: Link) => (l.score === undefined ? '–' : l.score.toFixed(1)) },
]

export function Network() {
	const topic = route.value.query.get('topic') ?? ''
	const self = hello.value?.id ?? ''
	const [hot, setHot] = useState('')
	const topics = useLive('topics of the picture', (signal) => get('/api/v1/gossip/topics', { signal }), touches, 5000)
	const links = useLive(
		'links ' + topic,
		async (signal) => {
			const [peers, gossip, detail] = await Promise.all([
				allPeers(signal),
				get('/api/v1/gossip/peers', { signal }),
				topic ? get('/api/v1/gossip/topics/{topic}', { path: { topic }, signal }) : undefined,
			])
			return joined(peers, gossip, detail?.members)
		},
		touches,
		2000,
	)
	const names = (topics.data ?? []).map((t) => t.name)
	if (topic && !names.includes(topic)) names.push(topic)
	return (
		<>
			<Head text="Network" />
			<Card>
				<div class="bar">
					<Select
						label="Mesh of"
						value={topic}
						options={[['', 'every topic'], ...names.map((n) => [n, plain(n)] as const)]}
						onChange={(v) => replace(href(['network'], { topic: v }))}
					/>
					<span class="quiet" role="status">
						{links.data && plural(links.data.length, 'link')}
					</span>
				</div>
				<Loaded of={links}>
					{(list) =>
						list.length && self ? (
							<>
								<Picture links={list} self={self} hot={hot} onHot={setHot} />
								<Legend topic={topic !== ''} />
							</>
						) : (
							<Empty>
								No peer is connected. <a href="#/peers">Connect to one</a>.
							</Empty>
						)
					}
				</Loaded>
			</Card>
			{links.data && links.data.length > 0 && (
				<Card title="The same as a table">
					<Table<Link>
						label="Links"
						columns={columns(topic)}
						rows={links.data}
						rowKey={(l) => l.peer.id}
						hot={hot}
						onHot={setHot}
					/>
				</Card>
			)}
		</>
	)
}
