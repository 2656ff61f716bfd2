// Gossip below the messages: who is in a topic's mesh, what each peer's score is made of, and what was counted.
import type { ComponentChildren } from 'preact'
import { get, type Schemas } from '../api'
import { useLive } from '../live'
import { type Column, Table, Tabs } from '../parts'
import { Ago, bytes, num, PeerId, plain, plural } from '../text'
import { Badge, Card, Empty, Facts, Loaded } from '../ui'

type GossipPeer = Schemas['GossipPeer']
type Member = Schemas['TopicMember']
type Stats = Schemas['GossipStats']

export type View = 'topics' | 'peers' | 'counters'
const moves = (e: { type: string }) => e.type.startsWith('peer.') || e.type === 'gossip.message' || e.type === 'node.rates'

export const GossipTabs = ({ at }: { at: View }) => (
	<Tabs
		label="Gossip"
		items={[
			['#/gossip', 'Topics and messages', at === 'topics'],
			['#/gossip?view=peers', 'Scores', at === 'peers'],
			['#/gossip?view=counters', 'Counters', at === 'counters'],
		]}
	/>
)

const COMPONENTS = [
	['p1', 'P1', 'minutes in the mesh'],
	['p2', 'P2', 'messages it brought first'],
	['p3', 'P3', 'deliveries that were expected and did not come'],
	['p3b', 'P3b', 'what P3 was when it left the mesh'],
	['p4', 'P4', 'messages that broke a rule'],
	['p5', 'P5', 'its standing outside of gossip'],
	['p6', 'P6', 'too many peers of one address group'],
	['p7', 'P7', 'broken promises, grafts inside the back-off'],
] as const

const points = (n: number) => (Number.isInteger(n) ? num(n) : n.toFixed(Math.abs(n) < 10 ? 2 : 1))
const Points = ({ n }: { n: number }) => <span class={n < 0 ? 'bad' : n === 0 ? 'quiet' : undefined}>{points(n)}</span>

const Explained = ({ of }: { of: readonly (readonly [string, string, string])[] }) => (
	<p class="hint">
		{of.map(([key, name, why], i) => (
			<span key={key}>
				{i > 0 && ' · '}
				<strong>{name}</strong> {why}
			</span>
		))}
	</p>
)

export function ComponentTable({ rows }: { rows: GossipPeer[] }) {
	const columns: Column<GossipPeer>[] = [
		{ name: 'Peer', cell: (g) => <PeerId id={g.peer} /> },
		{ name: 'Score', class: 'n', cell: (g) => <Badge tone={g.score < 0 ? 'bad' : 'ok'}>{points(g.score)}</Badge> },
		...COMPONENTS.map(
			([key, name]): Column<GossipPeer> => ({ name, class: 'n', cell: (g) => <Points n={g.components[key]} /> }),
		),
		{ name: 'Meshes', class: 'n', cell: (g) => `${num(g.meshes)} of ${num(g.topics)}` },
		{ name: 'Waiting', class: 'n', cell: (g) => bytes(g.queue_bytes) },
		{ name: 'Protocol', cell: (g) => <code>{plain(g.door)}</code> },
	]
	return (
		<>
			<Table label="Scores of peers" columns={columns} rows={rows} rowKey={(g) => g.peer} />
			<Explained of={COMPONENTS} />
		</>
	)
}

export function Scores() {
	const peers = useLive('gossip peers', (signal) => get('/api/v1/gossip/peers', { signal }), moves, 2000)
	return (
		<Card title="Peers that gossip with this node" after={<span class="quiet">{peers.data && plural(peers.data.length, 'peer')}</span>}>
			<Loaded of={peers}>
				{(list) =>
					list.length ? (
						<ComponentTable rows={[...list].sort((a, b) => a.score - b.score)} />
					) : (
						<Empty>No peer gossips with this node now.</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}

const TOPIC_COMPONENTS = COMPONENTS.slice(0, 5) as unknown as readonly (readonly ['p1' | 'p2' | 'p3' | 'p3b' | 'p4', string, string])[]

export function Mesh({ topic }: { topic: string }) {
	const detail = useLive(
		'topic ' + topic,
		(signal) => get('/api/v1/gossip/topics/{topic}', { path: { topic }, signal }),
		moves,
		2000,
	)
	const columns: Column<Member>[] = [
		{ name: 'Peer', cell: (m) => <PeerId id={m.peer} /> },
		{
			name: 'Part',
			cell: (m) =>
				m.in_mesh ? (
					<>
						<Badge tone="ok">mesh</Badge> <span class="quiet">{m.mesh_since && <Ago t={m.mesh_since} />}</span>
					</>
				) : m.in_fanout ? (
					<Badge tone="info">fanout</Badge>
				) : (
					<Badge>subscribed</Badge>
				),
		},
		{ name: 'Score', class: 'n', cell: (m) => <Points n={m.score} /> },
		...TOPIC_COMPONENTS.map(([key, name]): Column<Member> => ({ name, class: 'n', cell: (m) => <Points n={m.components[key]} /> })),
	]
	return (
		<Card title="Mesh" after={<a href={`#/network?topic=${encodeURIComponent(topic)}`}>As a picture</a>}>
			<Loaded of={detail}>
				{(t) => (
					<>
						<p class="quiet">
							{plural(t.peers, 'subscriber')}, {num(t.mesh)} in the mesh{t.fanout > 0 && `, ${num(t.fanout)} in the fanout`} ·{' '}
							{num(t.delivered)} delivered, {num(t.duplicate)} duplicate, {num(t.rejected)} rejected, {num(t.published)} published,{' '}
							{num(t.sent)} sent
						</p>
						{t.members.length ? (
							<>
								<Table<Member> label="Subscribers" columns={columns} rows={t.members} rowKey={(m) => m.peer} />
								<Explained of={TOPIC_COMPONENTS} />
							</>
						) : (
							<Empty>No connected peer subscribes to it.</Empty>
						)}
					</>
				)}
			</Loaded>
		</Card>
	)
}

// -- counters

const WHY: Record<string, string> = {
	duplicate: 'was here already',
	signature: 'signature missing or wrong',
	unsupported: 'of a version that is not known',
	oversized: 'too large',
	topic: 'of a topic nobody here subscribes to',
	self: 'our own, sent back',
	graylist: 'from a peer with too low a score',
	rate: 'above the peer’s rate',
	busy: 'too many under validation',
	ignored: 'could not be judged',
	rejected: 'broke a rule of its topic',
}

const Bars = ({ rows }: { rows: [string, string, number][] }) => {
	const most = Math.max(1, ...rows.map((r) => r[2]))
	return (
		<ul class="bars">
			{rows.map(([name, why, n]) => (
				<li key={name}>
					<span>
						{plain(name)} {why && <span class="quiet">{why}</span>}
					</span>
					<span class="n">{num(n)}</span>
					<svg class="rule" aria-hidden="true" viewBox="0 0 100 4" preserveAspectRatio="none">
						<path d={`M0 2H${(100 * n) / most}`} />
					</svg>
				</li>
			))}
		</ul>
	)
}

const Controls = ({ s }: { s: Stats }) => (
	<Table
		label="Control messages"
		rows={(['graft', 'prune', 'ihave', 'iwant', 'idontwant'] as const).map((k) => ({ k }))}
		rowKey={(r) => r.k}
		columns={[
			{ name: 'Kind', cell: ({ k }) => k.toUpperCase() },
			{ name: 'Sent', class: 'n', cell: ({ k }) => num(s.control_sent[k]) },
			{ name: 'Received', class: 'n', cell: ({ k }) => num(s.control_received[k]) },
		]}
	/>
)

const facts = (o: Record<string, number>, say: (n: number, k: string) => string = num): [string, ComponentChildren][] =>
	Object.entries(o).map(([k, n]) => [plain(k.replace(/_/g, ' ')), say(n, k)])

export function Counters() {
	const stats = useLive('gossip stats', (signal) => get('/api/v1/gossip/stats', { signal }), moves, 2000)
	return (
		<Loaded of={stats}>
			{(s) => {
				const { dropped, ...messages } = s.messages
				const offences = Object.entries(s.offences).filter(([, n]) => n > 0)
				return (
					<div class="columns">
						<div>
							<Card title="Messages">
								<Facts rows={facts(messages)} />
							</Card>
							<Card title="Not delivered, by reason">
								<Bars rows={Object.entries(dropped).map(([k, n]) => [k, WHY[k] ?? '', n])} />
							</Card>
							<Card title="Offences of peers, by kind">
								{offences.length ? (
									<Bars rows={offences.map(([k, n]) => [k.replace(/_/g, ' '), '', n])} />
								) : (
									<Empty>No peer broke a rule.</Empty>
								)}
							</Card>
						</div>
						<div>
							<Card title="Control">
								<Controls s={s} />
							</Card>
							<Card title="RPCs">
								<Facts
									rows={[
										['Sent', `${num(s.rpcs_sent)}, ${bytes(s.bytes_sent)}`],
										['Received', `${num(s.rpcs_received)}, ${bytes(s.bytes_received)}`],
										['Peer exchange', plural(s.px_received, 'new peer')],
									]}
								/>
							</Card>
							<Card title="Sizes now">
								<Facts rows={facts(s.sizes, (n, k) => (k.endsWith('bytes') ? bytes(n) : num(n)))} />
							</Card>
							<Card title="Score thresholds">
								<Facts rows={facts(s.thresholds, points)} />
							</Card>
						</div>
					</div>
				)
			}}
		</Loaded>
	)
}
