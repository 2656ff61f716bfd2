// Message brokers that get the events of this node; the configuration names them.
import { useEffect } from 'preact/hooks'
import { get, type Schemas } from '../api'
import { useLive } from '../live'
import { Ago, clock, num, T } from '../text'
import { Badge, Card, Empty, Loaded, type Tone } from '../ui'

type Sink = Schemas['Sink']
const TONES: Record<Sink['state'], Tone> = { off: 'quiet', connecting: 'info', connected: 'ok', waiting: 'warn' }

const Row = ({ s }: { s: Sink }) => (
	<li>
		<span class="grow">
			<T class="strong" s={s.url} />
			<span class="sub">
				{s.type === 'mqtt' ? 'MQTT' : 'NATS JetStream'} under <T class="mono" s={s.prefix} /> · {num(s.published)} published, {num(s.lag)}{' '}
				behind
				{s.failures > 0 && `, ${num(s.failures)} failures`}
				{s.last_published_at && (
					<>
						{' '}
						· last <Ago t={s.last_published_at} />
					</>
				)}
			</span>
			{s.lost > 0 && <span class="sub bad">{num(s.lost)} events left the log before they were published.</span>}
			{s.last_error && (
				<span class="sub bad">
					<T s={s.last_error} />, <Ago t={s.last_error_at} />
				</span>
			)}
		</span>
		<Badge tone={TONES[s.state]}>{s.state}</Badge>
	</li>
)

export function Sinks() {
	const sinks = useLive('sinks', (signal) => get('/api/v1/sinks', { signal }))
	// How they do makes no events.
	useEffect(sinks.reload, [clock.value])
	return (
		<Card title="Message brokers">
			<Loaded of={sinks}>
				{(list) =>
					list.length ? (
						<ul class="rows">
							{list.map((s) => (
								<Row key={s.id} s={s} />
							))}
						</ul>
					) : (
						<Empty>
							None. The options <code>sink.*</code> of the <a href="#/settings">configuration</a> name MQTT and NATS servers that get every
							event.
						</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}
