// Webhooks: those of one repository, or all of the node, and how each fares.
import { useState } from 'preact/hooks'
import { get, getRepo, type NodeEvent } from '../api'
import { useLive } from '../live'
import { RepoName } from '../names'
import { Needs } from '../parts'
import { go } from '../router'
import { canAdmin } from '../session'
import { Ago, num, plain, T } from '../text'
import { Badge, Card, Empty, Loaded, type Tone } from '../ui'
import { type Hook, HookDialog } from './form'

// Where the pages of hooks are, and whose hooks they are.
export interface Place {
	repo?: { id: string; path: string } // none = the node's page, with those of all repositories
	to(...more: (string | number)[]): string // address of a page below
}

export const touchesHook = (id?: number) => (e: NodeEvent) =>
	e.type.startsWith('hook.') && (id === undefined || e.data.hook === id)

const STATES: Record<Hook['last_response']['status'], [Tone, string]> = {
	unused: ['quiet', 'not used yet'],
	active: ['ok', 'works'],
	failing: ['bad', 'fails'],
}

export function HookState({ hook }: { hook: Hook }) {
	const [tone, text] = STATES[hook.last_response.status]
	return (
		<>
			<Badge tone={tone}>{text}</Badge> {!hook.active && <Badge tone="warn">off</Badge>}
		</>
	)
}

export const HookHealth = ({ hook }: { hook: Hook }) => (
	<>
		{hook.last_response.message && (
			<span class="sub bad">
				<T s={hook.last_response.message} />
				{hook.last_response.failing_since && (
					<>
						, since <Ago t={hook.last_response.failing_since} />
					</>
				)}
			</span>
		)}
		{(hook.waiting > 0 || hook.dead > 0) && (
			<span class="sub">
				{[hook.waiting && `${num(hook.waiting)} waiting`, hook.dead && `${num(hook.dead)} given up`].filter(Boolean).join(', ')}
			</span>
		)}
	</>
)

const Row = ({ hook, at }: { hook: Hook; at: Place }) => (
	<li>
		<span class="grow">
			<a class="strong" href={at.to(hook.id)}>
				<T s={hook.config.url} />
			</a>
			<span class="sub">
				{!at.repo && (hook.repo ? <RepoName id={hook.repo} /> : 'node-wide')}
				{!at.repo && ' · '}
				{hook.type} · <T s={hook.events.join(', ')} />
				{hook.branch_filter !== '*' && (
					<>
						{' '}
						of <T s={hook.branch_filter} />
					</>
				)}
			</span>
			<HookHealth hook={hook} />
		</span>
		<HookState hook={hook} />
	</li>
)

const None = ({ at }: { at: Place }) => (
	<>
		<Empty>
			No webhook yet. {at.repo ? 'It tells a CI system, a chat or another program of each push here' : 'It tells another program of what happens on this node'}:
		</Empty>
		<pre class="commands" tabIndex={0}>{`guts hook add ${at.repo ? `--repo ${plain(at.repo.path)} ` : ''}https://ci.example.org/hook`}</pre>
	</>
)

export function HookList({ at }: { at: Place }) {
	const repo = at.repo
	const [making, setMaking] = useState(false)
	const hooks = useLive(
		`hooks ${repo?.id ?? ''} ${canAdmin.value}`,
		async (s) => (!canAdmin.value ? [] : repo ? getRepo(repo.path, '/hooks', { signal: s }) : get('/api/v1/hooks', { signal: s })),
		touchesHook(),
		1000,
	)
	return (
		<Card
			title="Webhooks"
			after={
				canAdmin.value && (
					<button type="button" class="small" onClick={() => setMaking(true)}>
						New webhook…
					</button>
				)
			}
		>
			<Needs scope="admin">
				<Loaded of={hooks}>
					{(list) =>
						list.length ? (
							<ul class="rows">
								{list.map((hook) => (
									<Row key={hook.id} hook={hook} at={at} />
								))}
							</ul>
						) : (
							<None at={at} />
						)
					}
				</Loaded>
			</Needs>
			<HookDialog
				open={making}
				repo={repo?.id}
				onDone={(made) => {
					setMaking(false)
					if (made) go(at.to(made.id))
				}}
			/>
		</Card>
	)
}
