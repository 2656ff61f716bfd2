// The DHT: this node's routing table, and lookups with the way that they took.
import { useEffect, useState } from 'preact/hooks'
import { act, ApiError, get, type Schemas } from '../api'
import { useLive } from '../live'
import { type Column, Field, fields, type FormEvent, Needs, Table } from '../parts'
import { href, route } from '../router'
import { canRead } from '../session'
import { Ago, bytes, num, PeerId, plain, plural, rtt, T } from '../text'
import { Badge, Card, Empty, Facts, Head, Loaded, Problem } from '../ui'
import { Addresses, Contacts } from './contacts'

type Dht = Schemas['Dht']
type Bucket = Schemas['DhtBucket']
type Entry = Schemas['DhtEntry']
type Hop = Schemas['DhtHop']
type Lookup = Schemas['DhtLookup']

const K = 20 // peers in a bucket
const ROLES = { server: 'server: answers others', client: 'client: only asks', off: 'off' } as const

// -- a lookup

// When it was asked and answered, on the time of the whole lookup.
const Span = ({ hop, all }: { hop: Hop; all: number }) => {
	const from = (100 * hop.at_us) / all
	const to = hop.took_us === null ? 100 : Math.min(100, (100 * (hop.at_us + hop.took_us)) / all)
	return (
		<svg class={'span ' + (hop.error ? 'bad' : '')} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
			<path d={`M${from} 4H${Math.max(to, from + 1)}`} />
		</svg>
	)
}

const hopColumns = (all: number): Column<Hop & { n: number }>[] => [
	{ name: '#', class: 'n', cell: (h) => h.n },
	{ name: 'Asked', cell: (h) => <PeerId id={h.peer} /> },
	{ name: 'Path', class: 'n', cell: (h) => num(h.path + 1) },
	{ name: 'Shared bits', class: 'n', cell: (h) => num(h.shared_bits) },
	{ name: 'After', class: 'n', cell: (h) => rtt(h.at_us) },
	{ name: 'Took', class: 'n', cell: (h) => (h.took_us === null ? <span class="quiet">not waited for</span> : rtt(h.took_us)) },
	{ name: 'When', class: 'when', cell: (h) => <Span hop={h} all={all} /> },
	{
		name: 'Answer',
		class: 'text',
		cell: (h) =>
			h.error ? (
				<T class="bad" s={h.error} />
			) : h.took_us === null ? (
				'–'
			) : (
				`${plural(h.closer, 'closer peer')}${h.providers ? `, ${plural(h.providers, 'provider')}` : ''}`
			),
	},
]

function Found({ l }: { l: Lookup }) {
	const providers = l.kind === 'find_providers'
	const last = Math.max(1, l.took_us, ...l.hops.map((h) => h.at_us + (h.took_us ?? 0)))
	return (
		<>
			<p role="status">
				<Badge tone={l.found ? 'ok' : 'warn'}>{l.found ? 'found' : 'not found'}</Badge>{' '}
				{providers ? plural(l.providers.length, 'provider') : l.found ? 'the peer' : 'no such peer'} after {rtt(l.took_us)} and{' '}
				{plural(l.hops.length, 'request')}
			</p>
			{providers && l.providers.length > 0 && (
				<>
					<h3>Providers</h3>
					<Contacts label="Providers" list={l.providers} />
				</>
			)}
			<h3>The way</h3>
			{l.hops.length ? (
				<Table
					label="Hops"
					columns={hopColumns(last)}
					rows={l.hops.map((h, i) => ({ ...h, n: i + 1 }))}
					rowKey={(h) => String(h.n)}
				/>
			) : (
				<Empty>Nobody had to be asked.</Empty>
			)}
			<h3>Closest that answered</h3>
			{l.closest.length ? <Contacts label="Closest peers" list={l.closest} /> : <Empty>None.</Empty>}
		</>
	)
}

function LookupCard({ target }: { target: string }) {
	const [state, set] = useState<{ busy: boolean; error?: ApiError; found?: Lookup }>({ busy: false })
	const [turn, again] = useState(0)
	const may = canRead.value
	useEffect(() => {
		if (!target || !may) return
		const abort = new AbortController()
		set({ busy: true })
		act<Lookup>('POST', '/api/v1/dht/lookup', { signal: abort.signal }, { target }).then(
			(found) => set({ busy: false, found }),
			(e) => abort.signal.aborted || set({ busy: false, error: e instanceof ApiError ? e : new ApiError(0, String(e)) }),
		)
		return () => abort.abort()
	}, [target, turn, may])
	const submit = (e: FormEvent) => {
		const wanted = fields(e).target!.trim()
		if (wanted === target) again(turn + 1)
		else location.hash = href(['dht'], { target: wanted })
	}
	return (
		<Card title="Look up">
			<Needs scope="read">
				<form class="inline" onSubmit={submit}>
					<Field label="Peer id or repository" hint="12D3…, guts://bafkrei…, or the id alone">
						{(ids) => (
							<input {...ids} name="target" class="mono" required maxLength={100} value={target} autocomplete="off" spellcheck={false} />
						)}
					</Field>
					<button class="primary" disabled={state.busy}>
						{state.busy ? 'Asking…' : 'Look up'}
					</button>
				</form>
			</Needs>
			{state.busy && <p class="loading">Asking the network…</p>}
			<Problem error={state.error} />
			{state.found && <Found l={state.found} />}
		</Card>
	)
}

// -- the routing table

const entryColumns: Column<Entry>[] = [
	{ name: 'Peer', cell: (e) => <PeerId id={e.peer} /> },
	{
		name: 'State',
		cell: (e) => (
			<>
				{e.connected && <Badge tone="ok">connected</Badge>}{' '}
				{e.verified ? <Badge tone="info">verified</Badge> : <Badge title="It has not answered since the node started">unverified</Badge>}{' '}
				{e.failures > 0 && <Badge tone="warn">{plural(e.failures, 'failure')}</Badge>}
			</>
		),
	},
	{ name: 'Answered', cell: (e) => <Ago t={e.last_seen} /> },
	{ name: 'RTT', class: 'n', cell: (e) => rtt(e.rtt_us) },
	{ name: 'Addresses', class: 'text wide', cell: (e) => <Addresses of={e.addresses} /> },
]

const BucketRow = ({ b, open }: { b: Bucket; open: boolean }) => (
	<details class="bucket" open={open}>
		<summary>
			{plural(b.shared_bits, 'shared bit')}{' '}
			<span class="quiet">
				{b.entries.length} of {K}
			</span>
			<svg class="rule" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
				<path d={`M0 2H${(100 * b.entries.length) / K}`} />
			</svg>
		</summary>
		<Table label={`Bucket of ${b.shared_bits} shared bits`} columns={entryColumns} rows={b.entries} rowKey={(e) => e.peer} />
	</details>
)

const Role = ({ d }: { d: Dht }) => (
	<Card title="This node" after={<Badge tone={d.role === 'server' ? 'ok' : 'quiet'}>{d.role}</Badge>}>
		<Facts
			rows={[
				['Role', `${ROLES[d.role]}${d.mode === 'auto' ? ' (chosen by itself)' : ''}`],
				['Protocol', d.protocol ? <code>{plain(d.protocol)}</code> : 'none'],
				['Place', <code class="wrap">{plain(d.key)}</code>],
				['Under way', `${plural(d.lookups, 'lookup')}, ${plural(d.requests, 'request')}`],
				['Published', `${plural(d.published, 'key')}${d.unpublished ? `, ${num(d.unpublished)} of them with nobody yet` : ''}`],
				[
					'Kept for others',
					`${plural(d.providers, 'provider record')} of ${plural(d.provider_keys, 'repository', 'repositories')}, ${plural(d.values, 'value')}, ${bytes(d.stored_bytes)}`,
				],
			]}
		/>
	</Card>
)

const Counts = ({ d }: { d: Dht }) => (
	<Card title="Since the start">
		<Facts wide rows={Object.entries(d.counters).map(([k, n]) => [plain(k.replace(/_/g, ' ')), num(n)])} />
	</Card>
)

export function DhtPage() {
	const target = route.value.query.get('target') ?? ''
	const dht = useLive(
		'dht',
		(signal) => get('/api/v1/dht', { signal }),
		(e) => e.type.startsWith('peer.') || e.type === 'node.rates',
		3000,
	)
	return (
		<>
			<Head text="DHT" />
			<LookupCard key={target} target={target} />
			<Loaded of={dht}>
				{(d) => (
					<>
						<Card
							title="Routing table"
							after={
								<span class="quiet">
									{plural(d.size, 'server')}
									{d.spares > 0 && `, ${plural(d.spares, 'spare')}`}
								</span>
							}
						>
							{d.buckets.length ? (
								d.buckets.map((b) => <BucketRow key={b.shared_bits} b={b} open={d.buckets.length <= 4} />)
							) : (
								<Empty>{d.role === 'off' ? 'The DHT is off.' : 'No server is known yet.'}</Empty>
							)}
						</Card>
						<div class="columns">
							<Role d={d} />
							<Counts d={d} />
						</div>
					</>
				)}
			</Loaded>
		</>
	)
}
