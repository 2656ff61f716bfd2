// The tree of files, one file, and the README.
import { useEffect, useRef, useState } from 'preact/hooks'
import { getRepo, repoBase, type Commit, type Entry, type File, type LastCommit } from '../api'
import { useLive } from '../live'
import { repoHref, route } from '../router'
import { Ago, bytes, Copy, plural, T } from '../text'
import { Badge, Card, Empty, Loaded } from '../ui'
import { Code } from './code'
import { firstLine, StatusIcon } from './commits'
import { cloneUrl, movesRefs, Switcher, type Of } from './repo'

export const encodePath = (p: string) => p.split('/').map(encodeURIComponent).join('/')
export const rawUrl = (of: Of, path: string) =>
	`${repoBase(of.path)}/raw/${encodePath(path)}?ref=${encodeURIComponent(of.current)}`
const srcHref = (of: Of, path: string) => repoHref(of.path, ['src', of.current], path)

function Crumbs({ of, path }: { of: Of; path: string }) {
	const parts = path.split('/').filter(Boolean)
	return (
		<nav class="crumbs" aria-label="Path">
			<a href={srcHref(of, '')}>
				<T s={of.repo.name} />
			</a>
			{parts.map((p, i) => (
				<>
					<span aria-hidden="true">/</span>
					{i === parts.length - 1 ? (
						<span aria-current="page">
							<T s={p} />
						</span>
					) : (
						<a href={srcHref(of, parts.slice(0, i + 1).join('/'))}>
							<T s={p} />
						</a>
					)}
				</>
			))}
		</nav>
	)
}

function Latest({ of, commit, path }: { of: Of; commit: Commit | undefined; path: string }) {
	if (!commit) return null
	return (
		<div class="latest">
			<span class="grow">
				<T class="strong" s={commit.commit.author.name} />{' '}
				<a href={repoHref(of.path, ['commit', commit.sha])}>
					<T s={firstLine(commit)} />
				</a>{' '}
				<StatusIcon of={of} sha={commit.sha} />
			</span>
			<span class="quiet">
				<code>{commit.sha.slice(0, 8)}</code> · <Ago t={commit.commit.author.date} /> ·{' '}
				<a href={repoHref(of.path, ['commits', of.current], '', { path })}>History</a>
			</span>
		</div>
	)
}

const MARK: Record<Entry['type'], string> = {
	dir: 'M1.5 3.5h4.6l1.4 2h7v7.5h-13z',
	file: 'M3.5 1.5h6l3 3v10h-9zm6 0v3h3',
	symlink: 'M3.5 1.5h9v13h-9zm3 8c0-2 1-3 3.5-3m-1.5-1.5L10 6.5 8.5 8',
	submodule: 'M2.5 4.5 8 2l5.5 2.5v7L8 14l-5.5-2.5zm0 0L8 7l5.5-2.5M8 7v7',
}
const KIND: Record<Entry['type'], string> = { dir: 'folder', file: 'file', symlink: 'symbolic link', submodule: 'submodule' }

// What changed each entry last; it comes after the names, which do not wait for it.
function useLast(of: Of, path: string) {
	const { data } = useLive(
		`last ${of.repo.id} ${of.current} ${path}`,
		(s) => {
			const ask = { query: { ref: of.current }, signal: s }
			return path ? getRepo(of.path, '/last-commits/{path}', { ...ask, path: { path } }) : getRepo(of.path, '/last-commits', ask)
		},
		movesRefs(of.repo),
	)
	return new Map((data ?? []).map((c) => [c.path, c]))
}

const Change = ({ of, last }: { of: Of; last: LastCommit | undefined }) =>
	last?.last_commit_sha ? (
		<>
			<a class="quiet change" href={repoHref(of.path, ['commit', last.last_commit_sha])}>
				<T s={last.last_commit_message || '(no message)'} />
			</a>
			<span class="quiet when">
				<Ago t={last.last_committer_date ?? ''} />
			</span>
		</>
	) : (
		<span class="change" />
	)

function Tree({ of, entries, path }: { of: Of; entries: Entry[]; path: string }) {
	const last = useLast(of, path)
	const rank = (e: Entry) => (e.type === 'dir' || e.type === 'submodule' ? 0 : 1)
	const sorted = [...entries].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
	return (
		<ul class="tree" aria-label="Files">
			{path && (
				<li>
					<a href={srcHref(of, path.split('/').slice(0, -1).join('/'))} aria-label="Parent folder">
						..
					</a>
				</li>
			)}
			{sorted.map((e) => (
				<li key={e.path}>
					<svg viewBox="0 0 16 16" class={'mark ' + e.type} role="img" aria-label={KIND[e.type]}>
						<path d={MARK[e.type]} />
					</svg>
					{e.type === 'submodule' ? (
						<span class="name">
							<T s={e.name} /> <code class="quiet">@ {e.sha.slice(0, 8)}</code>
						</span>
					) : (
						<a class="name" href={srcHref(of, e.path)}>
							<T s={e.name} />
						</a>
					)}
					<Change of={of} last={last.get(e.path)} />
					<span class="quiet size">{e.type === 'file' ? bytes(e.size) : ''}</span>
				</li>
			))}
		</ul>
	)
}

const IMAGES: Record<string, string> = {
	png: 'image/png',
	jpg: 'image/jpeg',
	jpeg: 'image/jpeg',
	gif: 'image/gif',
	webp: 'image/webp',
	svg: 'image/svg+xml',
	ico: 'image/x-icon',
	avif: 'image/avif',
}
export const imageType = (path: string) => IMAGES[path.replace(/.*\./, '').toLowerCase()]

export function decode(file: File): { bytes: Uint8Array; text: string; binary: boolean } {
	const raw = atob(file.content.replace(/\s/g, ''))
	const all = Uint8Array.from(raw, (c) => c.charCodeAt(0))
	const binary = all.subarray(0, 8000).includes(0)
	return { bytes: all, text: binary ? '' : new TextDecoder().decode(all), binary }
}

// Markdown of strangers, cleaned; loaded when first needed.
export function Markdown({ of, text, dir }: { of: Of; text: string; dir: string }) {
	const box = useRef<HTMLDivElement>(null)
	useEffect(() => {
		let gone = false
		void import('./markdown').then(({ render }) => {
			if (!gone && box.current) render(box.current, text, { of, dir })
		})
		return () => {
			gone = true
		}
	}, [text, dir, of.path, of.current])
	return <div class="markdown" ref={box} />
}

function FileView({ of, file }: { of: Of; file: File }) {
	const markdown = /\.(md|markdown|mkd)$/i.test(file.name)
	const [rendered, setRendered] = useState(markdown && !route.value.lines)
	const large = file.encoding === 'none'
	const { text, binary } = large ? { text: '', binary: false } : decode(file)
	const image = imageType(file.name)
	return (
		<Card class="file">
			<div class="bar">
				<span class="quiet grow">
					{file.type === 'symlink' && <Badge>symbolic link</Badge>} {bytes(file.size)}
					{text && `, ${plural(text.split('\n').length - (text.endsWith('\n') ? 1 : 0), 'line')}`}
					{text.includes('\r\n') && ', CRLF'}
				</span>
				{markdown && (
					<button type="button" class="small" aria-pressed={!rendered} onClick={() => setRendered(!rendered)}>
						Source
					</button>
				)}
				{text && <Copy text={text} what="content" />}
				<a class="button small" href={rawUrl(of, file.path)}>
					Raw
				</a>
			</div>
			{large ? (
				<Empty>
					This file is too large to be shown. <a href={rawUrl(of, file.path)}>Fetch it</a>
				</Empty>
			) : file.target !== undefined ? (
				<p class="pad">
					→ <T class="mono" s={file.target} />
				</p>
			) : image && (binary || image === 'image/svg+xml') ? (
				<p class="image">
					<img src={`data:${image};base64,${file.content.replace(/\s/g, '')}`} alt={file.name} />
				</p>
			) : binary ? (
				<Empty>
					This is not text. <a href={rawUrl(of, file.path)}>Fetch it</a>
				</Empty>
			) : rendered ? (
				<Markdown of={of} text={text} dir={file.path.split('/').slice(0, -1).join('/')} />
			) : (
				<Code text={text} name={file.name} />
			)}
		</Card>
	)
}

function Readme({ of, entries, path }: { of: Of; entries: Entry[]; path: string }) {
	const entry =
		entries.find((e) => e.type === 'file' && /^readme\.(md|markdown)$/i.test(e.name)) ??
		entries.find((e) => e.type === 'file' && /^readme(\.txt|\.rst)?$/i.test(e.name))
	const file = useLive('readme ' + of.repo.id + (entry ? entry.path + entry.sha : ''), async (s) =>
		entry
			? ((await getRepo(of.path, '/contents/{path}', {
					path: { path: entry.path },
					query: { ref: of.current },
					signal: s,
				})) as File)
			: null,
	)
	if (!entry || !file.data || file.data.encoding === 'none') return null
	const { text, binary } = decode(file.data)
	if (binary) return null
	return (
		<Card title={entry.name} class="readme">
			{/\.(md|markdown)$/i.test(entry.name) ? (
				<Markdown of={of} text={text} dir={path} />
			) : (
				<div class="pre mono pad">{<T s={text} />}</div>
			)}
		</Card>
	)
}

function Start({ of }: { of: Of }) {
	const url = cloneUrl(of.repo)
	const lines = [`git remote add guts ${url}`, `git push guts ${of.repo.default_branch}`]
	return (
		<Card title="Nothing here yet">
			{of.repo.permissions.push ? (
				<>
					<p>Push a branch to it. git asks for a name (any) and a password: a token with the right to write.</p>
					<pre class="commands" tabIndex={0}>
						{lines.join('\n')}
					</pre>
					<p>
						<code>git config --global credential.{location.origin}.helper '!guts credential'</code> gives git the token by itself.
					</p>
				</>
			) : (
				<p>Its delegates have not pushed, or their commits have not arrived.</p>
			)}
		</Card>
	)
}

export function Source({ of, file }: { of: Of; file: string }) {
	const { repo, path, current } = of
	const body = useLive(
		`contents ${repo.id} ${current} ${file}`,
		async (s) => {
			const ask = { query: { ref: current }, signal: s }
			const [content, [commit]] = await Promise.all([
				file ? getRepo(path, '/contents/{path}', { ...ask, path: { path: file } }) : getRepo(path, '/contents', ask),
				getRepo(path, '/commits', { query: { sha: current, path: file || undefined, per_page: 1 }, signal: s }),
			])
			return { content, commit }
		},
		movesRefs(repo),
	)
	if (!repo.head && current === repo.default_branch) return <Start of={of} />
	return (
		<>
			<div class="bar">
				<Switcher of={of} to={(ref) => repoHref(path, ['src', ref], file)} />
				<Crumbs of={of} path={file} />
			</div>
			<Loaded of={body}>
				{({ content, commit }) => (
					<>
						{Array.isArray(content) ? (
							<>
								<Card class="listing">
									<Latest of={of} commit={commit} path={file} />
									<Tree of={of} entries={content} path={file} />
								</Card>
								<Readme of={of} entries={content} path={file} />
							</>
						) : (
							<>
								<Card class="listing">
									<Latest of={of} commit={commit} path={file} />
								</Card>
								<FileView key={content.path + content.sha} of={of} file={content} />
							</>
						)}
					</>
				)}
			</Loaded>
		</>
	)
}
