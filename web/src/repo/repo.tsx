// A repository's page: its head, its tabs, and which of them is shown.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { getRepo, getRepoPage, type NodeEvent, type Repo } from '../api'
import { useEvents, useLive, type Live } from '../live'
import { learn, RepoTitle } from '../names'
import { SyncBadge } from '../pages/repos'
import { go, repoHref, route } from '../router'
import { bytes, Copy, num, plain, plural, shortOid, T } from '../text'
import { Tabs } from '../parts'
import { Badge, Empty, Head, Loaded } from '../ui'
import { lazy } from '../lazy'
import { Authors, AuthorRefs } from './authors'
import { CommitPage } from './commit'
import { Commits } from './commits'
import { Network } from './network'
import { Refs } from './refs'
import { RepoSettings } from './settings'
import { Source } from './source'

const RepoCi = lazy(() => import('../ci/page').then((m) => m.RepoCi))
const Hooks = lazy(() => import('../hooks/page').then((m) => m.Hooks))

export interface RefList {
	branches: string[]
	tags: string[]
	more: boolean // not all are listed
}
export interface Of {
	repo: Repo
	path: string // "owner/name" or id
	refs: RefList
	current: string // the branch, tag or commit that is looked at
}

export const movesRefs = (repo: Repo) => (e: NodeEvent) =>
	e.repo === repo.id && (e.type.startsWith('repo.ref') || e.type === 'repo.updated' || e.type === 'repo.added')

// OWNER/NAME or ID from the address, and what follows.
export function split(parts: string[]): [string, string[]] {
	if (/^bafkrei[a-z2-7]{52}$/.test(parts[0] ?? '')) return [parts[0]!, parts.slice(1)]
	return [`${parts[0] ?? ''}/${(parts[1] ?? '').replace(/\.git$/, '')}`, parts.slice(2)]
}

// The ref at the start of `parts`: names may hold slashes that came undivided.
export function takeRef(parts: string[], refs: RefList, other: string): [string, string] {
	if (!parts.length) return [other, '']
	const names = new Set([...refs.branches, ...refs.tags])
	for (let n = 1; n <= parts.length; n++) {
		const name = parts.slice(0, n).join('/')
		if (names.has(name)) return [name, parts.slice(n).join('/')]
	}
	return [parts[0]!, parts.slice(1).join('/')]
}

function Progress({ id }: { id: string }) {
	const now = useRef(signal<NodeEvent | undefined>(undefined)).current
	useEvents(
		(events, old) => {
			const mine = old ? undefined : events.filter((e) => e.type === 'repo.sync.progress' && e.repo === id).at(-1)
			if (mine) now.value = ['done', 'failed'].includes(String(mine.data.phase)) ? undefined : mine
		},
		[id],
	)
	const e = now.value
	if (!e) return null
	return (
		<p class="progress" role="status">
			<progress aria-label="Fetching" /> Fetching: <T s={String(e.data.phase)} />, {plural(Number(e.data.objects ?? 0), 'object')}
			, {bytes(Number(e.data.bytes ?? 0))}
		</p>
	)
}

export function Switcher({ of, to }: { of: Of; to: (ref: string) => string }) {
	const { branches, tags } = of.refs
	const listed = branches.includes(of.current) || tags.includes(of.current)
	return (
		<select aria-label="Branch or tag" value={of.current} onChange={(e) => go(to(e.currentTarget.value))}>
			{!listed && (
				<option value={of.current} selected>
					{/^[0-9a-f]{40,64}$/.test(of.current) ? shortOid(of.current) : plain(of.current)}
				</option>
			)}
			<optgroup label="Branches">
				{branches.map((b) => (
					<option value={b} selected={b === of.current}>
						{plain(b)}
					</option>
				))}
			</optgroup>
			{tags.length > 0 && (
				<optgroup label="Tags">
					{tags.map((t) => (
						<option value={t} selected={t === of.current}>
							{plain(t)}
						</option>
					))}
				</optgroup>
			)}
		</select>
	)
}

// git's own words for an address that git can use.
export const cloneUrl = (repo: Repo) => {
	// As this browser reaches the node, if the node did not say otherwise.
	try {
		const u = new URL(repo.clone_url)
		return u.origin === location.origin ? repo.clone_url : location.origin + u.pathname
	} catch {
		return repo.clone_url
	}
}

function Clone({ repo }: { repo: Repo }) {
	const ways = [
		['HTTP', cloneUrl(repo)],
		['Address', repo.guts_url],
		['Id', repo.id],
	] as const
	const [way, set] = useState(0)
	const text = ways[way]![1]
	return (
		<div class="clone">
			<select aria-label="Kind of address" value={String(way)} onChange={(e) => set(Number(e.currentTarget.value))}>
				{ways.map(([name], i) => (
					<option value={String(i)}>{name}</option>
				))}
			</select>
			<input readOnly value={text} aria-label="Address to clone from" class="mono" onFocus={(e) => e.currentTarget.select()} />
			<Copy text={text} what="address" />
		</div>
	)
}

function HeadOf({ of, tab }: { of: Of; tab: string }) {
	const { repo, path } = of
	const ref = of.current === repo.default_branch ? [] : [of.current]
	return (
		<>
			<Head text={repo.name} after={<Clone repo={repo} />}>
				<RepoTitle repo={repo} />
			</Head>
			<p class="badges">
				{repo.description && <T class="lead" s={repo.description} />}
				<SyncBadge repo={repo} /> {repo.private && <Badge>private</Badge>} {repo.archived && <Badge tone="warn">archived</Badge>}
				{repo.shadowed && <Badge tone="warn">shadowed</Badge>}
				<span class="quiet">{bytes(repo.size_bytes)}</span>
			</p>
			<Progress id={repo.id} />
			{repo.last_error && (
				<p class="notice bad">
					Last fetch: <T s={repo.last_error} />
				</p>
			)}
			<Tabs
				label="Repository"
				items={[
					[repoHref(path, ref.length ? ['src', ...ref] : []), 'Files', tab === '' || tab === 'src'],
					[repoHref(path, ['commits', ...ref]), 'Commits', tab === 'commits' || tab === 'commit'],
					[repoHref(path, ['refs']), `Branches ${num(repo.branches)} · Tags ${num(repo.tags)}`, tab === 'refs'],
					[repoHref(path, ['authors']), `Authors ${num(repo.authors)}`, tab === 'authors'],
					[repoHref(path, ['network']), `Seeders ${num(repo.seeders)}`, tab === 'network'],
					[repoHref(path, ['ci']), 'CI', tab === 'ci'],
					[repoHref(path, ['hooks']), 'Webhooks', tab === 'hooks'],
					[repoHref(path, ['settings']), 'Settings', tab === 'settings'],
				]}
			/>
		</>
	)
}

function Tab({ of, tab, rest }: { of: Of; tab: string; rest: string[] }) {
	switch (tab) {
		case '':
		case 'src':
			return <Source of={of} file={takeRef(rest, of.refs, of.repo.default_branch)[1]} />
		case 'commits':
			return <Commits of={of} />
		case 'commit':
			return <CommitPage of={of} sha={rest[0] ?? ''} />
		case 'refs':
			return <Refs of={of} />
		case 'authors':
			return rest[0] ? <AuthorRefs of={of} author={rest[0]} /> : <Authors of={of} />
		case 'network':
			return <Network of={of} />
		case 'ci':
			return <RepoCi repo={{ id: of.repo.id, path: of.path }} job={rest[0]} />
		case 'hooks':
			return <Hooks at={{ repo: { id: of.repo.id, path: of.path }, to: (...more) => repoHref(of.path, ['hooks', ...more.map(String)]) }} rest={rest} />
		case 'settings':
			return <RepoSettings of={of} />
	}
	return <Empty>There is no such page of a repository.</Empty>
}

function Inside({ repo, path, rest }: { repo: Repo; path: string; rest: string[] }) {
	const refs = useLive(
		'refs ' + repo.id,
		async (s): Promise<RefList> => {
			const query = { per_page: 100 }
			const [b, t] = await Promise.all([
				getRepoPage(path, '/branches', { query, signal: s }),
				getRepoPage(path, '/tags', { query, signal: s }),
			])
			return { branches: b.items.map((x) => x.name), tags: t.items.map((x) => x.name), more: b.more || t.more }
		},
		movesRefs(repo),
	)
	const [tab = '', ...more] = rest
	return (
		<Loaded of={refs}>
			{(list) => {
				const named = tab === 'src' || tab === 'commits' ? more : []
				const of: Of = { repo, path, refs: list, current: takeRef(named, list, repo.default_branch)[0] }
				return (
					<>
						<HeadOf of={of} tab={tab} />
						<Tab of={of} tab={tab} rest={more} />
					</>
				)
			}}
		</Loaded>
	)
}

export function RepoPage() {
	const [path, rest] = split(route.value.parts.slice(1))
	const repo: Live<Repo> = useLive(
		'repo ' + path,
		(s) => getRepo(path, '', { signal: s }),
		(e) => e.type.startsWith('repo.') && (!repo.data || e.repo === repo.data.id),
	)
	useEffect(() => {
		if (repo.data) learn([repo.data])
	}, [repo.data])
	if (repo.error?.status === 404)
		return (
			<>
				<Head text="No such repository" />
				<Empty>
					This node has no repository <code>{plain(path)}</code>, or it is not for you to see.{' '}
					<a href="#/repos">All repositories</a>
				</Empty>
			</>
		)
	return <Loaded of={repo}>{(r) => <Inside key={r.id} repo={r} path={path} rest={rest} />}</Loaded>
}
