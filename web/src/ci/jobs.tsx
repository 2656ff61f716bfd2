// Lists of CI jobs, of a repository or of the node.
import type { ComponentChildren } from 'preact'
import { getPage, getRepoPage, type NodeEvent, type Schemas } from '../api'
import { branchName } from '../eventrow'
import { useLive } from '../live'
import { RepoName } from '../names'
import { type Column, CursorPager, Search, Select, Table, useTyped } from '../parts'
import { replace, repoHref, route } from '../router'
import { Ago, Oid, span, T } from '../text'
import { Badge, Card, Empty, Loaded, type Tone } from '../ui'

export type Job = Schemas['CiJob']
type State = Job['state']

// Whose jobs they are, and where their list is.
export interface Place {
	repo?: { id: string; path: string } // none = those of the node
	to(query?: Record<string, string | undefined>): string
}

const SIZE = 30
const TONES: Record<State, Tone> = { queued: 'quiet', running: 'info', success: 'ok', failure: 'bad', error: 'bad' }
const WORDS: Record<State, string> = { queued: 'waiting', running: 'running', success: 'passed', failure: 'failed', error: 'error' }

export const isOpen = (j: Job) => j.state === 'queued' || j.state === 'running'
export const touchesJobs = (repo?: string) => (e: NodeEvent) =>
	e.type.startsWith('ci.job.') && e.type !== 'ci.job.output' && (!repo || e.repo === repo)
export const jobHref = (j: { id: string; repository: { id: string; full_name: string } }) =>
	repoHref(j.repository.full_name || j.repository.id, ['ci', j.id])

export const JobState = ({ j }: { j: Job }) => (
	<>
		<Badge tone={TONES[j.state]}>{WORDS[j.state]}</Badge>{' '}
		{j.state === 'running' && j.progress > 0 && (
			<progress max={100} value={j.progress} aria-label={`${j.progress} percent done`} title={`${j.progress} %`} />
		)}
	</>
)

export const Took = ({ j }: { j: Job }) => {
	if (!j.started_at) return <>–</>
	if (!j.ended_at)
		return (
			<span>
				since <Ago t={j.started_at} />
			</span>
		)
	return <>{span(Math.max(0, (Date.parse(j.ended_at) - Date.parse(j.started_at)) / 1000))}</>
}

const columns = (of: boolean): Column<Job>[] => [
	{ name: 'State', cell: (j) => <JobState j={j} /> },
	{
		name: 'Job',
		class: 'text wide',
		cell: (j) => (
			<>
				<a class="strong" href={jobHref(j)}>
					<T s={j.context} />
				</a>{' '}
				{j.ref && <T class="ref" s={branchName(j.ref)} />} {!of && <RepoName id={j.repository.id} />}
				{j.description && <T class="sub clamp" s={j.description} />}
			</>
		),
	},
	{
		name: 'Commit',
		cell: (j) => (
			<a href={repoHref(j.repository.full_name || j.repository.id, ['commit', j.commit])}>
				<Oid id={j.commit} copy={false} />
			</a>
		),
	},
	{ name: 'Runner', class: 'text', cell: (j) => (j.runner ? <T s={j.runner} /> : '–') },
	{ name: 'Made', cell: (j) => <Ago t={j.created_at} /> },
	{ name: 'Took', cell: (j) => <Took j={j} /> },
]

export const JobTable = ({ jobs, label, of }: { jobs: Job[]; label: string; of: boolean }) => (
	<Table label={label} columns={columns(of)} rows={jobs} rowKey={(j) => j.id} />
)

const STATES = [
	['', 'any state'],
	['queued', 'waiting'],
	['running', 'running'],
	['success', 'passed'],
	['failure', 'failed'],
	['error', 'error'],
] as const

export const getJobs = (at: Place, query: Record<string, string | number | undefined>, signal: AbortSignal) =>
	at.repo ? getRepoPage(at.repo.path, '/ci/jobs', { query, signal }) : getPage('/api/v1/ci/jobs', { query, signal })

// The filters are in the address; each page begins behind a job.
export function JobList({ at, none }: { at: Place; none: ComponentChildren }) {
	const q = route.value.query
	const asked = Object.fromEntries(['state', 'branch', 'runner', 'commit', 'cursor'].map((k) => [k, q.get(k) || undefined]))
	const { cursor, ...filter } = asked
	const set = (name: string) => (v: string) => replace(at.to({ ...filter, [name]: v || undefined }))
	const [branch, setBranch] = useTyped(filter.branch ?? '', set('branch'))
	const [runner, setRunner] = useTyped(filter.runner ?? '', set('runner'))
	const list = useLive(
		`jobs ${at.repo?.id ?? ''} ${JSON.stringify(asked)}`,
		(s) => getJobs(at, { ...asked, per_page: SIZE }, s),
		touchesJobs(at.repo?.id),
		1000,
	)
	const filtered = Object.values(asked).some(Boolean)
	return (
		<Card title="Jobs">
			<div class="bar">
				<Select label="State" value={(filter.state ?? '') as State | ''} options={STATES} onChange={set('state')} />
				<Search label="Branch" value={branch} onInput={setBranch} />
				<Search label="Runner" value={runner} onInput={setRunner} />
				{filter.commit && (
					<span>
						of commit <Oid id={filter.commit} copy={false} /> <a href={at.to({ ...filter, commit: undefined })}>all</a>
					</span>
				)}
			</div>
			<Loaded of={list}>
				{({ items, next }) => (
					<>
						{items.length ? (
							<JobTable jobs={items} label="Jobs" of={!!at.repo} />
						) : filtered ? (
							<Empty>No job is like that.</Empty>
						) : (
							none
						)}
						<CursorPager cursor={cursor} next={next} to={(c) => at.to({ ...filter, cursor: c })} />
					</>
				)}
			</Loaded>
		</Card>
	)
}
