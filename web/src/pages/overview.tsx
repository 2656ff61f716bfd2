// The node at a glance.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { get, getFacts, getPage, type NodeEvent, type Schemas } from '../api'
import { EventRow } from '../eventrow'
import { link, listen, useEvents, useLive } from '../live'
import { learn, RepoName } from '../names'
import { Ago, bytes, clock, Copy, num, plural, rate, skew, span, T } from '../text'
import { Badge, Card, Empty, Facts, Head, Loaded, type Tone } from '../ui'

interface Sample {
	t: number // [s]
	in: number
	out: number
}
const KEPT_S = 600
const samples = signal<Sample[]>([])
const now = signal<{ in: number; out: number; bytesIn: number; bytesOut: number; peers: number } | undefined>(undefined)

const fromRates = (e: NodeEvent): Sample => ({
	t: Date.parse(e.time) / 1000,
	in: Number(e.data.rate_in ?? 0),
	out: Number(e.data.rate_out ?? 0),
})

export function startRates() {
	listen((events) => {
		const some = events.filter((e) => e.type === 'node.rates')
		const last = some.at(-1)
		if (!last) return
		const d = last.data
		const newest = samples.value.at(-1)?.t ?? 0
		const add = some.map(fromRates).filter((s) => s.t > newest)
		samples.value = [...samples.value, ...add].filter((s) => s.t > Date.parse(last.time) / 1000 - KEPT_S)
		now.value = {
			in: Number(d.rate_in ?? 0),
			out: Number(d.rate_out ?? 0),
			bytesIn: Number(d.bytes_in ?? 0),
			bytesOut: Number(d.bytes_out ?? 0),
			peers: Number(d.peers ?? 0),
		}
	})
}

function Chart() {
	const box = useRef<HTMLDivElement>(null)
	useEffect(() => {
		let stop = () => {}
		let gone = false
		void import('../chart').then(({ drawRates }) => {
			if (!gone && box.current) stop = drawRates(box.current, samples)
		})
		return () => {
			gone = true
			stop()
		}
	}, [])
	const n = now.value
	return (
		<div
			class="chart"
			role="img"
			aria-label={`Traffic of the last minutes; now in ${rate(n?.in ?? 0)}, out ${rate(n?.out ?? 0)}`}
		>
			<div ref={box} aria-hidden="true" />
		</div>
	)
}

const Figure = ({ name, value, sub }: { name: string; value: string; sub?: string }) => (
	<div class="figure">
		<dt>{name}</dt>
		<dd>
			{value}
			{sub && <small>{sub}</small>}
		</dd>
	</div>
)

// The newest facts, then those that come.
function Recent() {
	const first = useLive('recent', async (s) => {
		const { events } = await get('/api/v1/status', { signal: s })
		const since = Math.max(0, events.newest - 30, events.oldest - 1)
		return (await getFacts({ since, limit: 30 }, s)).reverse()
	})
	const live = useRef(signal<NodeEvent[]>([])).current
	useEffect(() => {
		live.value = []
	}, [first.data])
	useEvents((events, old) => {
		const facts = old ? [] : events.filter((e) => e.id !== undefined)
		if (facts.length) live.value = [...facts.reverse(), ...live.value].slice(0, 30)
	})
	return (
		<Card title="Recent events" after={<a href="#/events">All events</a>}>
			<Loaded of={first}>
				{(old) => {
					const seen = new Set(live.value.map((e) => e.id))
					const all = [...live.value, ...old.filter((e) => !seen.has(e.id))].slice(0, 15)
					return all.length ? (
						<ul class="events">
							{all.map((e) => (
								<EventRow key={e.id} e={e} />
							))}
						</ul>
					) : (
						<Empty>Nothing has happened yet.</Empty>
					)
				}}
			</Loaded>
		</Card>
	)
}

function Repositories() {
	const repos = useLive(
		'newest repos',
		async (s) => {
			const page = await getPage('/api/v1/repos', { query: { sort: '-updated', per_page: 6 }, signal: s })
			learn(page.items)
			return page
		},
		(e) => e.type.startsWith('repo.') && e.id !== undefined,
		1000,
	)
	return (
		<Card title="Repositories" after={<a href="#/repos">All repositories</a>}>
			<Loaded of={repos}>
				{({ items }) =>
					items.length ? (
						<ul class="rows">
							{items.map((r) => (
								<li key={r.id}>
									<span class="grow">
										<RepoName id={r.id} /> {r.private && <Badge>private</Badge>} {r.syncing && <Badge tone="info">syncing</Badge>}
										{r.description && <T class="sub clamp" s={r.description} />}
									</span>
									<span class="quiet">
										<Ago t={r.pushed_at} />
									</span>
								</li>
							))}
						</ul>
					) : (
						<Empty>
							No repository yet. <a href="#/repos?new=create">Create one</a> or connect to a peer that has some.
						</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}

const TONES: Record<Schemas['HealthState'], Tone> = { ok: 'ok', degraded: 'warn', failing: 'bad', off: 'quiet' }

// What is not well, with its reason; the rest in a line each.
function Health({ of }: { of: Schemas['Health'] }) {
	const is = (state: Schemas['HealthState']) => of.subsystems.filter((p) => p.state === state)
	const names = (parts: typeof of.subsystems) => parts.map((p) => p.name).join(', ') || 'none'
	return (
		<Card title="Health" after={<Badge tone={TONES[of.state]}>{of.state}</Badge>}>
			<ul class="rows" aria-label="What is not well">
				{[...is('failing'), ...is('degraded')].map((p) => (
					<li key={p.name}>
						<span class="grow">
							<span class="strong">{p.name}</span>
							<T class="sub" s={p.reason ?? ''} />
							<span class="sub">
								since <Ago t={p.since} />
							</span>
						</span>
						<Badge tone={TONES[p.state]}>{p.state}</Badge>
					</li>
				))}
			</ul>
			<Facts
				rows={[
					['Well', names(is('ok'))],
					['Off', names(is('off'))],
				]}
			/>
		</Card>
	)
}

export function Overview() {
	const status = useLive(
		'status',
		async (s) => {
			const st = await get('/api/v1/status', { signal: s })
			skew.value = Date.parse(st.time) - Date.now()
			return st
		},
		(e) => e.id !== undefined || e.type === 'node.health',
		1000,
	)
	return (
		<>
			<Head text="Overview" />
			<Loaded of={status}>
				{(s) => {
					const n = now.value
					const up = Math.max(0, (clock.value + skew.value - Date.parse(s.started_at)) / 1000)
					const health = link.value !== 'open' ? 'unreachable' : s.stopping ? 'stopping' : s.ready ? 'ready' : 'starting'
					return (
						<>
							<dl class="figures">
								<Figure
									name="Peers"
									value={num(n?.peers ?? s.counts.peers)}
									sub={`${s.counts.inbound} in · ${s.counts.outbound} out`}
								/>
								<Figure name="Repositories" value={num(s.counts.repositories)} />
								<Figure
									name="Receiving"
									value={rate(n?.in ?? s.rate_in)}
									sub={bytes(Math.max(n?.bytesIn ?? 0, s.bytes_in)) + ' in all'}
								/>
								<Figure
									name="Sending"
									value={rate(n?.out ?? s.rate_out)}
									sub={bytes(Math.max(n?.bytesOut ?? 0, s.bytes_out)) + ' in all'}
								/>
							</dl>
							<div class="columns">
								<div>
									<Card title="This node" after={<Badge tone={health === 'ready' ? 'ok' : 'warn'}>{health}</Badge>}>
										<Facts
											rows={[
												[
													'Peer id',
													<span class="id">
														<code class="wrap" id="peer-id">
															{s.id}
														</code>
														<Copy text={s.id} what="peer id" />
													</span>,
												],
												['Version', `${s.version} · ${s.agent}`],
												['Network', <T s={s.network} />],
												['Up for', span(up)],
												[
													'Listening',
													s.listen.length ? (
														<ul class="plain">
															{s.listen.map((a) => (
																<li class="id">
																	<code class="wrap">{a.replace(/\/p2p\/.*$/, '')}</code>
																	<Copy text={a} what="address with peer id" />
																</li>
															))}
														</ul>
													) : (
														'nowhere'
													),
												],
												['Gateway', s.http.map((u) => <code class="wrap">{u}</code>)],
												[
													'Known',
													`${plural(s.counts.known_peers, 'peer')}, ${plural(s.counts.bans, 'ban')}, ${plural(s.counts.topics, 'topic')}`,
												],
												['Events', `${num(s.events.newest)} so far`],
												...(s.restart_required.length
													? [
															[
																'Restart required',
																<a href="#/settings">
																	<T s={s.restart_required.join(', ')} />
																</a>,
															] as [string, JSX.Element],
														]
													: []),
											]}
										/>
									</Card>
									<Repositories />
								</div>
								<div>
									<Card title="Traffic">
										<Chart />
										<p class="legend">
											<span class="key in">in</span> <span class="key out">out</span>
										</p>
									</Card>
									<Health of={s.health} />
									<Recent />
								</div>
							</div>
						</>
					)
				}}
			</Loaded>
		</>
	)
}
