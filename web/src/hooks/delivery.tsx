// One delivery with what was sent and answered; secrets were taken out by the node.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { act, get, getRepo, type Schemas } from '../api'
import { useLive } from '../live'
import { RepoName } from '../names'
import { useBusy } from '../parts'
import { go } from '../router'
import { Ago, bytes, Copy, num, plain, T, visible } from '../text'
import { Badge, Card, Facts, Loaded, type Tone } from '../ui'
import { type Hook, hookPath } from './form'
import { type Place, touchesHook } from './list'

type Delivery = Schemas['Delivery']

const TONES: Record<Delivery['state'], Tone> = { pending: 'info', delivered: 'ok', dead: 'bad' }
const WORDS: Record<Delivery['state'], string> = { pending: 'waiting', delivered: 'delivered', dead: 'given up' }

export const DeliveryState = ({ d }: { d: Delivery }) => (
	<>
		<Badge tone={d.state === 'pending' && d.attempts ? 'warn' : TONES[d.state]}>{WORDS[d.state]}</Badge>{' '}
		{d.redelivery && <Badge>again</Badge>}
	</>
)

export const Result = ({ d }: { d: Delivery }) => (
	<>
		{d.status === 'OK' && <strong>{d.status_code} </strong>}
		<T s={d.status} />
	</>
)

const SHOWN = 32 << 10 // [characters] more when it is asked for

function Body({ s, what }: { s: string; what: string }) {
	const [all, setAll] = useState(false)
	if (!s) return <p class="quiet">No body.</p>
	return (
		<>
			<pre class="commands wrap tall" tabIndex={0} role="region" aria-label={what}>
				{visible(all ? s : s.slice(0, SHOWN))}
			</pre>
			{!all && s.length > SHOWN && (
				<p>
					<button type="button" class="small" onClick={() => setAll(true)}>
						Show all {bytes(s.length)}
					</button>
				</p>
			)}
		</>
	)
}

const Headers = ({ of }: { of: Record<string, string> }) =>
	Object.keys(of).length ? (
		<dl class="params">
			{Object.entries(of).map(([name, value]) => (
				<div>
					<dt>
						<T class="mono" s={name} />
					</dt>
					<dd>
						<T class="mono wrap" s={value} />
					</dd>
				</div>
			))}
		</dl>
	) : (
		<p class="quiet">No headers.</p>
	)

function View({ at, hook, d }: { at: Place; hook: Hook; d: Schemas['DeliveryDetail'] }) {
	const [busy, run] = useBusy()
	const again = async () => {
		const made = act<Delivery>('POST', `${hookPath(hook.id, hook.repo)}/deliveries/${d.id}/attempts`)
		if (await run(made, 'Queued again')) go(at.to(hook.id, (await made).id))
	}
	return (
		<>
			<Card title={`Delivery ${d.id}`} after={<DeliveryState d={d} />}>
				<Facts
					rows={[
						['Event', <T s={d.action ? `${d.event} (${d.action})` : d.event} />],
						['Repository', d.repository_id ? <RepoName id={d.repository_id} /> : '–'],
						[
							'Id',
							<span class="id">
								<code class="wrap">{plain(d.guid)}</code>
								<Copy text={d.guid} what="id" />
							</span>,
						],
						['Result', <Result d={d} />],
						['Attempts', `${num(d.attempts)}${d.attempts ? `; the last took ${num(d.duration_ms)} ms` : ''}`],
						['Made', <Ago t={d.created_at} />],
						['Last attempt', <Ago t={d.delivered_at} />],
						...(d.next_attempt_at ? [['Next try', <Ago t={d.next_attempt_at} />] as [string, ComponentChildren]] : []),
					]}
				/>
				<p class="buttons">
					<button type="button" class="primary" disabled={busy} onClick={again}>
						Deliver again
					</button>
				</p>
			</Card>
			<Card title="Request">
				<Headers of={d.request.headers} />
				<Body s={JSON.stringify(d.request.payload, null, 2)} what="Body of the request" />
			</Card>
			<Card title="Answer">
				{d.attempts ? (
					<>
						<Headers of={d.response.headers} />
						<Body s={d.response.payload} what="Body of the answer" />
					</>
				) : (
					<p class="quiet">It was not sent yet.</p>
				)}
			</Card>
		</>
	)
}

export function DeliveryView({ at, hook, id }: { at: Place; hook: Hook; id: string }) {
	const path = { hook: String(hook.id), delivery: id }
	const d = useLive(
		`delivery ${hook.id} ${id}`,
		(signal) =>
			at.repo
				? getRepo(at.repo.path, '/hooks/{hook}/deliveries/{delivery}', { path, signal })
				: get('/api/v1/hooks/{hook}/deliveries/{delivery}', { path, signal }),
		(e) => touchesHook(hook.id)(e) && e.data.delivery === Number(id),
	)
	return <Loaded of={d}>{(x) => <View at={at} hook={hook} d={x} />}</Loaded>
}
