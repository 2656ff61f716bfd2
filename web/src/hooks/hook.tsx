// One webhook: what it is, what can be done with it, and what was delivered.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { act, get, getPage, getRepo, getRepoPage, type Schemas } from '../api'
import { useLive } from '../live'
import { RepoName } from '../names'
import { type Column, CursorPager, RemoveDialog, Select, Table, useBusy } from '../parts'
import { go, replace, route } from '../router'
import { Ago, num, plain, T } from '../text'
import { Badge, Card, Empty, Facts, Loaded } from '../ui'
import { DeliveryState, DeliveryView, Result } from './delivery'
import { type Hook, HookDialog, hookPath } from './form'
import { HookHealth, HookState, type Place, touchesHook } from './list'

type Delivery = Schemas['Delivery']

const SIZE = 30
const columns = (at: Place, hook: Hook): Column<Delivery>[] => [
	{ name: 'State', cell: (d) => <DeliveryState d={d} /> },
	{
		name: 'Event',
		class: 'text',
		cell: (d) => (
			<>
				<a class="strong" href={at.to(hook.id, d.id)}>
					<T s={d.event} /> #{d.id}
				</a>{' '}
				{d.action && <T s={d.action} />}
				{!hook.repo && d.repository_id && (
					<span class="sub">
						<RepoName id={d.repository_id} />
					</span>
				)}
			</>
		),
	},
	{ name: 'Result', class: 'text', cell: (d) => <Result d={d} /> },
	{ name: 'Attempts', class: 'n', cell: (d) => num(d.attempts) },
	{ name: 'Took', class: 'n', cell: (d) => (d.attempts ? `${num(d.duration_ms)} ms` : '–') },
	{ name: 'Made', cell: (d) => <Ago t={d.created_at} /> },
	{ name: 'Next try', cell: (d) => <Ago t={d.next_attempt_at} /> },
]

function Deliveries({ at, hook }: { at: Place; hook: Hook }) {
	const q = route.value.query
	const status = q.get('status') ?? ''
	const cursor = q.get('cursor') ?? ''
	const to = (query: string) => at.to(hook.id) + query
	const list = useLive(
		`deliveries ${hook.id} ${status} ${cursor}`,
		(signal) => {
			const query = { per_page: SIZE, status: status || undefined, cursor: cursor || undefined }
			const path = { hook: String(hook.id) }
			return at.repo
				? getRepoPage(at.repo.path, '/hooks/{hook}/deliveries', { path, query, signal })
				: getPage('/api/v1/hooks/{hook}/deliveries', { path, query, signal })
		},
		touchesHook(hook.id),
	)
	return (
		<Card
			title="Deliveries"
			after={
				<Select
					label="Which deliveries"
					value={status}
					options={[
						['', 'all'],
						['failure', 'failed'],
						['success', 'delivered'],
					]}
					onChange={(v) => replace(to(v && `?status=${v}`))}
				/>
			}
		>
			<Loaded of={list}>
				{({ items, next }) => (
					<>
						{items.length ? (
							<Table label="Deliveries" columns={columns(at, hook)} rows={items} rowKey={(d) => String(d.id)} />
						) : (
							<Empty>{status || cursor ? 'None like that.' : 'Nothing was delivered yet. A ping shows whether the receiver answers.'}</Empty>
						)}
						<CursorPager cursor={cursor} next={next} to={(c) => to(c ? `?status=${status}&cursor=${c}` : status && `?status=${status}`)} />
					</>
				)}
			</Loaded>
		</Card>
	)
}

function Actions({ at, hook }: { at: Place; hook: Hook }) {
	const [open, setOpen] = useState<'change' | 'remove' | undefined>()
	const [busy, run] = useBusy()
	const path = hookPath(hook.id, hook.repo)
	return (
		<>
			<p class="buttons">
				<button type="button" disabled={busy} onClick={() => run(act('POST', path + '/pings'), 'Ping queued')}>
					Ping
				</button>
				{hook.repo && (
					<button
						type="button"
						disabled={busy}
						title="Send the newest commit of the default branch as a push"
						onClick={() => run(act('POST', path + '/tests'), 'Test queued')}
					>
						Test
					</button>
				)}
				<button type="button" onClick={() => setOpen('change')}>
					Change…
				</button>
				<button type="button" class="danger" onClick={() => setOpen('remove')}>
					Remove…
				</button>
			</p>
			<HookDialog open={open === 'change'} hook={hook} repo={hook.repo} onDone={() => setOpen(undefined)} />
			<RemoveDialog
				what="webhook"
				open={open === 'remove'}
				remove={() => act('DELETE', path)}
				said="Webhook removed"
				onRemoved={() => go(at.to())}
				onClose={() => setOpen(undefined)}
			>
				<T class="strong wrap" s={hook.config.url} /> is told of nothing more, and what waits for it is dropped.
			</RemoveDialog>
		</>
	)
}

const Signed = ({ hook }: { hook: Hook }) => (
	<>
		{hook.config.secret ? 'with a secret' : 'no'}
		{hook.has_authorization_header && <Badge tone="info">authorization header</Badge>}
		{hook.config.insecure_ssl === '1' && <Badge tone="warn">any certificate</Badge>}
	</>
)

const View = ({ at, hook }: { at: Place; hook: Hook }) => (
	<Card title="Webhook" after={<HookState hook={hook} />}>
		<Facts
			rows={[
				['URL', <T class="mono wrap" s={hook.config.url} />],
				['Of', hook.repo ? <RepoName id={hook.repo} /> : 'the whole node'],
				['Format', hook.type],
				['Events', <T s={hook.events.join(', ')} />],
				['Branches', <T class="mono" s={hook.branch_filter} />],
				['Signed', <Signed hook={hook} />],
				['Authors', hook.all_authors ? 'all' : 'what is canonical and counts'],
				['Changed', <Ago t={hook.updated_at} />],
				...(hook.last_response.message || hook.waiting || hook.dead ? [['State', <HookHealth hook={hook} />] as [string, ComponentChildren]] : []),
			]}
		/>
		<Actions at={at} hook={hook} />
	</Card>
)

export function HookPage({ at, id, delivery }: { at: Place; id: string; delivery?: string }) {
	const path = { hook: id }
	const hook = useLive(
		`hook ${id}`,
		(signal) => (at.repo ? getRepo(at.repo.path, '/hooks/{hook}', { path, signal }) : get('/api/v1/hooks/{hook}', { path, signal })),
		touchesHook(Number(id)),
		1000,
	)
	return (
		<>
			<p class="crumbs">
				<a href={at.to()}>Webhooks</a>
				<span aria-hidden="true">/</span>
				{delivery ? <a href={at.to(id)}>{plain(id)}</a> : plain(id)}
				{delivery && <span aria-hidden="true">/</span>}
				{delivery && plain(delivery)}
			</p>
			<Loaded of={hook}>
				{(h) => (delivery ? <DeliveryView at={at} hook={h} id={delivery} /> : (
					<>
						<View at={at} hook={h} />
						<Deliveries at={at} hook={h} />
					</>
				))}
			</Loaded>
		</>
	)
}
