// CI over all repositories: what runs, what waits, and who waits for it.
import { useEffect } from 'preact/hooks'
import { get, type Schemas } from '../api'
import { type Live, useLive } from '../live'
import { JobList, type Place, touchesJobs } from '../ci/jobs'
import { Queues } from '../ci/queues'
import { Needs } from '../parts'
import { RepoName } from '../names'
import { href } from '../router'
import { canAdmin } from '../session'
import { clock, num, plural, T } from '../text'
import { Card, Empty, Head, Loaded } from '../ui'

type Runner = Schemas['CiRunner']

const MANY = 100
const at: Place = { to: (query) => href(['ci'], query) }

// How many, as far as one page tells.
const Figure = ({ name, n }: { name: string; n: number | undefined }) => (
	<div class="figure">
		<dt>{name}</dt>
		<dd>{n === undefined ? '–' : n >= MANY ? `${num(MANY)}+` : num(n)}</dd>
	</div>
)

function Figures({ runners }: { runners: Live<Runner[]> }) {
	const jobs = useLive(
		'open jobs',
		async (signal) => {
			const many = (state: 'queued' | 'running') => get('/api/v1/ci/jobs', { query: { state, per_page: MANY }, signal })
			const [running, queued] = await Promise.all([many('running'), many('queued')])
			return { running: running.length, queued: queued.length }
		},
		touchesJobs(),
		1000,
	)
	return (
		<dl class="figures">
			<Figure name="Running" n={jobs.data?.running} />
			<Figure name="Waiting" n={jobs.data?.queued} />
			{canAdmin.value && <Figure name="Runners that wait" n={runners.data?.length} />}
		</dl>
	)
}

// A runner that comes or goes makes no event: it is looked for with each tick of the clock.
function useRunners() {
	const runners = useLive(
		`runners ${canAdmin.value}`,
		async (s) => (canAdmin.value ? get('/api/v1/ci/runners', { signal: s }) : []),
		touchesJobs(),
		1000,
	)
	useEffect(runners.reload, [clock.value])
	return runners
}

const Row = ({ r }: { r: Runner }) => (
	<li>
		<span class="grow">
			<T class="strong" s={r.name ?? '(no name)'} />
			<span class="sub">
				{r.events.join(' and ')} of <T class="mono" s={r.branch_filter} />
				{r.repositories.length > 0 ? ` in ${plural(r.repositories.length, 'repository', 'repositories')}: ` : ' in all repositories'}
				{r.repositories.map((id) => (
					<>
						<RepoName id={id} />{' '}
					</>
				))}
			</span>
		</span>
	</li>
)

function Runners({ of }: { of: Live<Runner[]> }) {
	return (
		<Card title="Runners that wait">
			<Needs scope="admin">
				<Loaded of={of}>
					{(list) =>
						list.length ? (
							<ul class="rows">
								{list.map((r) => (
									<Row r={r} />
								))}
							</ul>
						) : (
							<>
								<Empty>None. A runner only dials out; with a token of the right ci it may be anywhere:</Empty>
								<pre class="commands" tabIndex={0}>
									guts ci run -- make check
								</pre>
							</>
						)
					}
				</Loaded>
			</Needs>
		</Card>
	)
}

export function Ci() {
	const runners = useRunners()
	return (
		<>
			<Head text="CI" />
			<Figures runners={runners} />
			<JobList at={at} none={<Empty>No job yet. A repository with a queue makes one of each push.</Empty>} />
			<div class="columns">
				<Queues />
				<Runners of={runners} />
			</div>
		</>
	)
}
