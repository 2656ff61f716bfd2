// One commit: who, why, what its checks say, and what it changed.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { getRepo, type Schemas } from '../api'
import { useLive } from '../live'
import { repoHref } from '../router'
import { Ago, Copy, num, Oid, PeerId, plain, plural, T, visible } from '../text'
import { Badge, Card, Empty, Facts, Loaded } from '../ui'
import { combined, Sign } from './commits'
import { Diff } from './diff'
import type { Of } from './repo'

type Detail = Schemas['CommitDetail']
type Changed = Detail['files'][number]
type CommitStatus = Schemas['CommitStatus']

// An address that others wrote: only of the web.
export const Out = ({ to, text }: { to: string; text: string }) =>
	/^https?:\/\/[^\s]+$/i.test(to) ? (
		<a href={to} rel="noopener noreferrer nofollow" target="_blank">
			<T s={text} />
		</a>
	) : (
		<T s={text} />
	)

const Person = ({ who }: { who: Schemas['GitUser'] }) => (
	<>
		<T class="strong" s={who.name} /> <T class="quiet" s={`<${who.email}>`} /> <Ago t={who.date} />
	</>
)

const Stat = ({ f }: { f: { additions: number; deletions: number } }) => (
	<span class="stat">
		<span class="plus">+{num(f.additions)}</span> <span class="minus">−{num(f.deletions)}</span>
	</span>
)

function Bar({ f, most }: { f: Changed; most: number }) {
	const width = (n: number) => ({ width: `${Math.max(n ? 2 : 0, (n / Math.max(most, 1)) * 80)}px` })
	return (
		<span class="statbar" aria-hidden="true">
			<span class="plus" style={width(f.additions)} />
			<span class="minus" style={width(f.deletions)} />
		</span>
	)
}

const LETTER: Record<string, string> = { added: 'A', removed: 'D', modified: 'M', renamed: 'R', copied: 'C', changed: 'M' }
const FileName = ({ f }: { f: Changed }) => (
	<>
		{f.previous_filename && f.previous_filename !== f.filename && (
			<>
				<T class="mono" s={f.previous_filename} /> →{' '}
			</>
		)}
		<T class="mono" s={f.filename} />
	</>
)

const LARGE = 600 // [lines] changes larger than this are shown when asked for

function FileDiff({ f, i, sha, of, split }: { f: Changed; i: number; sha: string; of: Of; split: boolean }) {
	const [open, setOpen] = useState(f.changes <= LARGE)
	return (
		<Card class="file">
			<details open={open} onToggle={(e) => setOpen(e.currentTarget.open)} id={`file-${i}`}>
				<summary>
					<Badge>{f.status}</Badge> <FileName f={f} /> <Stat f={f} />
				</summary>
				{f.status !== 'removed' && (
					<p class="pad">
						<a href={repoHref(of.path, ['src', sha], f.filename)}>This file at this commit</a>
					</p>
				)}
				{open &&
					(f.patch ? <Diff patch={f.patch} split={split} name={f.filename} /> : <Empty>Binary or too large to be shown.</Empty>)}
			</details>
		</Card>
	)
}

function Statuses({ of, sha }: { of: Of; sha: string }) {
	const sum = combined(of, sha)
	const all = useLive(
		`statuses ${of.repo.id} ${sha}`,
		(s) => getRepo(of.path, '/commits/{sha}/statuses', { path: { sha }, signal: s }),
		(e) => e.type === 'status.created' && e.data.commit === sha,
	)
	const list = all.data ?? []
	if (!list.length) return null
	// The newest of each context and signer.
	const newest = new Map<string, CommitStatus>()
	for (const s of list) if (!newest.has(s.context + ' ' + s.signer)) newest.set(s.context + ' ' + s.signer, s)
	return (
		<Card
			title="Checks"
			after={
				sum &&
				sum.total_count > 0 && (
					<Badge tone={sum.state === 'success' ? 'ok' : sum.state === 'pending' ? 'warn' : 'bad'}>{sum.state}</Badge>
				)
			}
		>
			<ul class="rows">
				{[...newest.values()].map((s) => (
					<li key={s.id}>
						<Sign state={s.state} text={s.state} />
						<span class="grow">
							{s.target_url ? <Out to={s.target_url} text={s.context} /> : <T s={s.context} />}{' '}
							{!s.counts && <Badge title="Its signer is not trusted here">unverified</Badge>}{' '}
							{/^[0-9a-f]{32}$/.test(s.run_id ?? '') && (
								<span class="quiet">
									<a href={repoHref(of.path, ['ci', s.run_id!])}>job</a>
								</span>
							)}
							{s.description && <T class="sub" s={s.description} />}
						</span>
						<PeerId id={s.signer} />
						<span class="quiet">
							<Ago t={s.created_at} />
						</span>
					</li>
				))}
			</ul>
		</Card>
	)
}

function Changes({ of, c }: { of: Of; c: Detail }) {
	const [split, setSplit] = useState(false)
	const most = Math.max(...c.files.map((f) => f.changes), 1)
	return (
		<>
			<Card
				title={`${plural(c.files.length, 'file')} changed`}
				after={
					<span class="bar plain">
						<Stat f={{ additions: c.stats.additions ?? 0, deletions: c.stats.deletions ?? 0 }} />
						<button type="button" class="small" aria-pressed={split} onClick={() => setSplit(!split)}>
							Side by side
						</button>
					</span>
				}
			>
				<ul class="stats">
					{c.files.map((f, i) => (
						<li>
							<abbr title={f.status}>{LETTER[f.status] ?? '?'}</abbr>
							<a
								class="grow"
								href={`#file-${i}`}
								onClick={(e) => {
									e.preventDefault()
									const to = document.getElementById(`file-${i}`) as HTMLDetailsElement | null
									if (!to) return
									to.open = true
									to.scrollIntoView()
									to.querySelector('summary')?.focus({ preventScroll: true })
								}}
							>
								<FileName f={f} />
							</a>
							<Stat f={f} />
							<Bar f={f} most={most} />
						</li>
					))}
				</ul>
				{c.truncated && <p class="notice warn">There are more changes than are shown.</p>}
			</Card>
			{c.files.map((f, i) => (
				<FileDiff key={i} f={f} i={i} sha={c.sha} of={of} split={split} />
			))}
		</>
	)
}

export function CommitPage({ of, sha }: { of: Of; sha: string }) {
	const commit = useLive(`commit ${of.repo.id} ${sha}`, (s) => getRepo(of.path, '/commits/{sha}', { path: { sha }, signal: s }))
	return (
		<Loaded of={commit}>
			{(c) => {
				const [first = '', ...rest] = c.commit.message.split('\n')
				const same = c.commit.author.name === c.commit.committer.name && c.commit.author.email === c.commit.committer.email
				return (
					<>
						<Card class="commit">
							<div class="bar">
								<h2 class="grow">
									<T s={first || '(no message)'} />
								</h2>
								<a class="button small" href={repoHref(of.path, ['src', c.sha])}>
									Files
								</a>
							</div>
							{rest.join('\n').trim() && <div class="body pre">{visible(rest.join('\n').trim())}</div>}
							<Facts
								rows={[
									['Author', <Person who={c.commit.author} />],
									...(same ? [] : ([['Committer', <Person who={c.commit.committer} />]] as [string, ComponentChildren][])),
									[
										'Commit',
										<span class="id">
											<code class="wrap">{plain(c.sha)}</code>
											<Copy text={c.sha} what="commit id" />
										</span>,
									],
									[
										c.parents.length === 1 ? 'Parent' : 'Parents',
										c.parents.length
											? c.parents.map((p) => (
													<a href={repoHref(of.path, ['commit', p.sha])}>
														<Oid id={p.sha} copy={false} />
													</a>
												))
											: 'none: the first commit',
									],
								]}
							/>
						</Card>
						<Statuses of={of} sha={c.sha} />
						<Changes of={of} c={c} />
					</>
				)
			}}
		</Loaded>
	)
}
