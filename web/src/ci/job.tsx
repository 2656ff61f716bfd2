// One CI job, wherever it ran: how it stands, what it says, what it made.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { act, getRepo, repoBase, send } from '../api'
import { branchName } from '../eventrow'
import { hello, useLive } from '../live'
import { type Column, Table, useBusy } from '../parts'
import { Out } from '../repo/commit'
import { go, repoHref } from '../router'
import { canWrite } from '../session'
import { Ago, bytes, Copy, num, Oid, PeerId, plain, T } from '../text'
import { attempt, Badge, Card, Facts, Loaded } from '../ui'
import { isOpen, type Job, jobHref, JobState, Took } from './jobs'
import { Log } from './log'

type File = Job['files'][number]

async function fetchFile(url: string, f: File, told: (done: number) => void) {
	const parts: ArrayBuffer[] = []
	for (let n = 0; n < f.bytes; ) {
		const part = await (await send('GET', `${url}?offset=${n}`)).arrayBuffer()
		if (!part.byteLength) throw new Error('The file ends before its end.')
		parts.push(part)
		n += part.byteLength
		told(n)
	}
	const blob = new Blob(parts, { type: 'application/octet-stream' })
	// There are no hashes in pages that did not come over TLS or from this machine.
	if (!f.sha256 || !globalThis.crypto.subtle) return blob
	const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))
	if ([...hash].map((b) => b.toString(16).padStart(2, '0')).join('') !== f.sha256) throw new Error('What came is not what its SHA-256 says.')
	return blob
}

// The API gives a piece at a time, so that a click puts them together.
function Download({ url, f }: { url: string; f: File }) {
	const [done, setDone] = useState<number | undefined>()
	const click = async () => {
		setDone(0)
		await attempt(
			fetchFile(url, f, setDone).then((blob) => {
				const a = document.createElement('a')
				a.href = URL.createObjectURL(blob)
				a.download = f.name
				a.click()
				setTimeout(() => URL.revokeObjectURL(a.href), 60_000)
			}),
		)
		setDone(undefined)
	}
	return (
		<button type="button" class="small" disabled={done !== undefined} aria-label={`Download ${plain(f.name)}`} onClick={click}>
			{done === undefined ? 'Download' : `${Math.floor((100 * done) / Math.max(1, f.bytes))} %`}
		</button>
	)
}

const fileColumns = (base: string): Column<File>[] => [
	{ name: 'File', class: 'text', cell: (f) => <T class="mono" s={f.name} /> },
	{ name: 'Size', class: 'n', cell: (f) => bytes(f.bytes) },
	{
		name: 'SHA-256',
		cell: (f) =>
			f.sha256 ? (
				<span class="id">
					<code title={f.sha256}>{f.sha256.slice(0, 16)}…</code>
					<Copy text={f.sha256} what="SHA-256" />
				</span>
			) : (
				'when it has ended'
			),
	},
	{ name: 'Get', class: 'actions', cell: (f) => <Download url={`${base}/files/${encodeURIComponent(f.name)}`} f={f} /> },
]

const Steps = ({ j }: { j: Job }) => (
	<Card title="Steps">
		<ol class="rows">
			{j.steps.map((s) => (
				<li>
					<span class="grow">
						<T s={s.name} />
					</span>
					<span class="quiet">
						<Took j={{ ...j, started_at: s.started_at, ended_at: s.ended_at }} />
					</span>
					<JobState j={{ ...j, state: s.state, progress: 0 }} />
				</li>
			))}
		</ol>
	</Card>
)

function Actions({ j, path }: { j: Job; path: string }) {
	const [busy, run] = useBusy()
	const base = `${repoBase(path)}/ci/jobs/${j.id}`
	const again = async () => {
		const made = act<Job>('POST', base + '/rerun')
		if (await run(made, 'It waits for a runner again')) go(jobHref(await made))
	}
	if (!canWrite.value || (!isOpen(j) && j.queue === null)) return null
	return (
		<p class="buttons">
			{isOpen(j) ? (
				<button type="button" class="danger" disabled={busy} onClick={() => run(act('POST', base + '/cancel'), 'Canceled')}>
					Cancel
				</button>
			) : (
				<button type="button" disabled={busy} onClick={again}>
					Run again
				</button>
			)}
		</p>
	)
}

function View({ j, path, node }: { j: Job; path: string; node?: string }) {
	const here = !node || node === hello.value?.id
	const files = j.files.filter((f) => f.name !== 'log')
	const rows: [string, ComponentChildren][] = [
		[
			'Commit',
			<a href={repoHref(path, ['commit', j.commit])}>
				<Oid id={j.commit} copy={false} />
			</a>,
		],
		['Ref', j.ref ? <T class="ref" s={branchName(j.ref)} /> : '–'],
		['Result', j.description ? <T s={j.description} /> : '–'],
		['Runner', j.runner ? <T s={j.runner} /> : j.state === 'queued' ? 'none yet' : '–'],
		['Node', node ? <PeerId id={node} copy={false} /> : 'this one'],
		['Attempts', `${num(j.attempts)}${j.queue === null ? '' : ' of 3'}`],
		['Made', <Ago t={j.created_at} />],
		['Took', <Took j={j} />],
	]
	if (j.target_url) rows.push(['Link', <Out to={j.target_url} text={j.target_url} />])
	if (j.queue === null) rows.push(['Queue', 'none: another CI system runs it'])
	return (
		<>
			<div class="columns">
				<Card
					title={plain(j.context)}
					after={
						<span>
							<JobState j={j} /> {!here && <Badge tone="info">elsewhere</Badge>}
						</span>
					}
				>
					<Facts rows={rows} />
					{here && <Actions j={j} path={path} />}
					{j.state === 'queued' && (
						<>
							<p class="hint">It waits for a runner:</p>
							<pre class="commands" tabIndex={0}>{`guts ci run --repo ${plain(path)} -- make check`}</pre>
						</>
					)}
				</Card>
				{j.steps.length > 0 && <Steps j={j} />}
			</div>
			{files.length > 0 && (
				<Card title="Files">
					<Table label="Files" columns={fileColumns(`${repoBase(path)}/ci/jobs/${j.id}`)} rows={files} rowKey={(f) => f.name} />
				</Card>
			)}
			<Log key={j.id} repo={path} job={j.id} />
		</>
	)
}

export function JobPage({ repo, id }: { repo: { id: string; path: string }; id: string }) {
	const { path } = repo
	const job = useLive(
		`job ${repo.id} ${id}`,
		(s) => getRepo(path, '/ci/jobs/{job}', { path: { job: id }, signal: s }),
		// of one that runs elsewhere only its statuses are heard of; a command's output may go with progress
		(e) => (e.type.startsWith('ci.job.') && e.data.job === id) || (e.type === 'status.created' && e.repo === repo.id),
		1500,
	)
	const sha = job.data?.commit
	const signer = useLive(
		`signer ${repo.id} ${id} ${sha}`,
		async (s) => {
			const list = sha ? await getRepo(path, '/commits/{sha}/statuses', { path: { sha }, query: { per_page: 100 }, signal: s }) : []
			return list.find((x) => x.run_id === id)?.signer ?? ''
		},
		(e) => e.type === 'status.created' && e.data.commit === sha,
	)
	return (
		<>
			<p class="crumbs">
				<a href={repoHref(path, ['ci'])}>CI</a>
				<span aria-hidden="true">/</span>
				<code>{plain(id.slice(0, 12))}</code>
			</p>
			<Loaded of={job}>{(j) => <View j={j} path={path} node={signer.data || undefined} />}</Loaded>
		</>
	)
}
