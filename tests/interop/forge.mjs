// GitHub's and Gitea's own clients against a node with a real repository: what they read, what they write, page by page.
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GutsNode, until } from './gutsnode.mjs'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages('@octokit/rest')
const { Octokit } = await import('@octokit/rest')
const { giteaApi } = await import('gitea-js')

const BRANCHES = 45 // more than one page of 30
const work = mkdtempSync(join(tmpdir(), 'guts-forge-'))
const person = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.org' }
const env = { ...process.env, ...person, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const git = (...args) => execFileSync('git', args, { cwd: work, env, encoding: 'utf8' }).trim()
const same = (a, b, text) => ok(JSON.stringify(a) === JSON.stringify(b), text, `${JSON.stringify(a)}\n${JSON.stringify(b)}`)
const status = (promise) => promise.then((r) => r.status, (e) => e.status)

function makeHistory() {
  git('init', '-q', '-b', 'main')
  mkdirSync(join(work, 'src'))
  writeFileSync(join(work, 'README.md'), '# Forge\n')
  writeFileSync(join(work, 'src/main.c'), 'int main(void) { return 0; }\n')
  for (let i = 0; i < 5; i++) {
    writeFileSync(join(work, 'count'), `${i}\n`)
    git('add', '-A')
    git('commit', '-q', '-m', `change ${i}`)
  }
  for (let i = 0; i < BRANCHES - 1; i++) git('branch', `topic/b${String(i).padStart(2, '0')}`, 'HEAD~2')
  git('tag', '-a', '-m', 'one', 'v1.0', 'HEAD~1')
}

// A receiver of webhooks; what came is in `got`.
async function receiver() {
  const got = []
  const server = createServer((req, res) => {
    req.resume().on('end', () => { got.push(req.headers['x-github-event']); res.end() })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { got, url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }
}

async function octokitReads(octokit, at, tip) {
  const { data: repo } = await octokit.rest.repos.get(at)
  same([repo.full_name, repo.default_branch, repo.private], [`${at.owner}/demo`, 'main', false], 'octokit: repository')
  const { data: found } = await octokit.rest.search.repos({ q: 'demo in:name' })
  same([found.total_count, found.items[0].id], [1, repo.id], 'octokit: search')
  const branches = await octokit.paginate(octokit.rest.repos.listBranches, { ...at, per_page: 20 })
  same(branches.map((b) => b.name), git('branch', '--format=%(refname:short)').split('\n'), `octokit: ${BRANCHES} branches through three pages`)
  const { data: branch } = await octokit.rest.repos.getBranch({ ...at, branch: 'topic/b07' })
  ok(branch.commit.sha === git('rev-parse', 'topic/b07'), 'octokit: a branch with a slash in its name')
  const { data: tags } = await octokit.rest.repos.listTags(at)
  same([tags[0].name, tags[0].commit.sha], ['v1.0', git('rev-parse', 'v1.0^{}')], 'octokit: tags')
  const { data: ref } = await octokit.rest.git.getRef({ ...at, ref: 'tags/v1.0' })
  const { data: tag } = await octokit.rest.git.getTag({ ...at, tag_sha: ref.object.sha })
  same([ref.object.type, tag.tag, tag.object.sha], ['tag', 'v1.0', tags[0].commit.sha], 'octokit: a ref, and the tag that it names')
  const matching = await octokit.paginate(octokit.rest.git.listMatchingRefs, { ...at, ref: 'heads/topic/b1' })
  ok(matching.length === 10, 'octokit: matching refs', matching.length)
  const log = await octokit.paginate(octokit.rest.repos.listCommits, { ...at, per_page: 2 })
  same(log.map((c) => c.sha), git('rev-list', 'main').split('\n'), 'octokit: commits page by page')
  const touching = await octokit.paginate(octokit.rest.repos.listCommits, { ...at, path: 'README.md', sha: 'main' })
  same(touching.map((c) => c.sha), git('rev-list', 'main', '--', 'README.md').split('\n'), 'octokit: commits of a path')
  const { data: commit } = await octokit.rest.repos.getCommit({ ...at, ref: 'main' })
  same([commit.sha, commit.stats.total, commit.files[0].filename], [tip, 2, 'count'], 'octokit: a commit with its changes')
  const { data: object } = await octokit.rest.git.getCommit({ ...at, commit_sha: tip })
  same([object.message, object.tree.sha], ['change 4\n', git('rev-parse', 'main^{tree}')], 'octokit: a commit as git has it')
  const { data: diff } = await octokit.rest.repos.getCommit({ ...at, ref: tip, mediaType: { format: 'diff' } })
  ok(diff.startsWith('diff --git a/count b/count'), 'octokit: as a diff', diff)
  const { data: compared } = await octokit.rest.repos.compareCommitsWithBasehead({ ...at, basehead: 'topic/b00...main' })
  same([compared.status, compared.commits.map((c) => c.sha)], ['ahead', git('rev-list', '--reverse', 'main~2..main').split('\n')], 'octokit: compare')
}

async function octokitFiles(octokit, at, tip) {
  const { data: file } = await octokit.rest.repos.getContent({ ...at, path: 'src/main.c' })
  same(Buffer.from(file.content, 'base64').toString(), 'int main(void) { return 0; }\n', 'octokit: a file of a folder')
  const { data: folder } = await octokit.rest.repos.getContent({ ...at, path: '' })
  same(folder.map((e) => e.name).sort(), ['README.md', 'count', 'src'], 'octokit: the top folder')
  const { data: readme } = await octokit.rest.repos.getReadme({ ...at, mediaType: { format: 'raw' } })
  ok(readme === '# Forge\n', 'octokit: the readme, raw', readme)
  const { data: tree } = await octokit.rest.git.getTree({ ...at, tree_sha: 'main', recursive: '1' })
  same(tree.tree.map((e) => e.path), git('ls-tree', '-r', '-t', '--name-only', 'main').split('\n'), 'octokit: the whole tree')
  const { data: blob } = await octokit.rest.git.getBlob({ ...at, file_sha: tree.tree.find((e) => e.path === 'count').sha })
  ok(Buffer.from(blob.content, 'base64').toString() === '4\n', 'octokit: a blob')
  const { data: tar } = await octokit.rest.repos.downloadTarballArchive({ ...at, ref: tip })
  const listed = execFileSync('tar', ['-tzf', '-'], { input: Buffer.from(tar), encoding: 'utf8' })
  ok(listed.includes(`demo-${tip}/src/main.c`), 'octokit: a tarball that tar reads', listed)
  const { data: languages } = await octokit.rest.repos.listLanguages(at)
  same(languages, { C: 29 }, 'octokit: languages')
  const first = await octokit.rest.repos.getContent({ ...at, path: 'count' })
  const again = octokit.rest.repos.getContent({ ...at, path: 'count', headers: { 'if-none-match': first.headers.etag } })
  ok((await status(again)) === 304, 'octokit: what it has already is not sent again')
  const wrong = [octokit.rest.repos.get({ ...at, repo: 'none' }), octokit.rest.git.getRef({ ...at, ref: 'heads/none' }),
    octokit.rest.repos.getContent({ ...at, path: 'none' }), octokit.rest.git.getBlob({ ...at, file_sha: 'main' })]
  same(await Promise.all(wrong.map(status)), [404, 404, 404, 422], 'octokit: what is not there')
}

async function octokitWrites(octokit, at, tip, target) {
  const { data: me } = await octokit.rest.users.getAuthenticated()
  ok(me.login === at.owner, 'octokit: who it is')
  const { data: made } = await octokit.rest.repos.createForAuthenticatedUser({ name: 'made', description: 'by octokit', private: false, auto_init: false })
  const { data: changed } = await octokit.rest.repos.update({ ...at, repo: 'made', description: 'changed' })
  same([made.description, changed.description], ['by octokit', 'changed'], 'octokit: create and update')
  ok((await octokit.paginate(octokit.rest.repos.listForAuthenticatedUser)).length === 2, 'octokit: own repositories')
  ok((await status(octokit.rest.repos.createForAuthenticatedUser({ name: 'made' }))) === 409, 'octokit: a name that is taken')
  ok((await status(octokit.rest.repos.delete({ ...at, repo: 'made' }))) === 204, 'octokit: delete')
  for (const state of ['pending', 'success']) await octokit.rest.repos.createCommitStatus({ ...at, sha: tip, state, context: 'ci/octokit' })
  const { data: list } = await octokit.rest.repos.listCommitStatusesForRef({ ...at, ref: tip })
  const { data: sum } = await octokit.rest.repos.getCombinedStatusForRef({ ...at, ref: 'main' })
  same([list[0].state, list[0].context, sum.state, sum.sha], ['success', 'ci/octokit', 'success', tip], 'octokit: statuses')
  const { data: hook } = await octokit.rest.repos.createWebhook({ ...at, config: { url: target.url, content_type: 'json', secret: 's' }, events: ['push'] })
  const { data: hooks } = await octokit.rest.repos.listWebhooks(at)
  same(hooks.map((h) => h.id), [hook.id], 'octokit: webhooks')
  await octokit.rest.repos.pingWebhook({ ...at, hook_id: hook.id })
  await until(() => target.got.includes('ping'), 'the ping')
  ok((await status(octokit.rest.repos.deleteWebhook({ ...at, hook_id: hook.id }))) === 204, 'octokit: a webhook pinged and deleted')
}

async function giteaReads(api, owner, tip) {
  const at = [owner, 'demo']
  ok((await api.version.getVersion()).data.version.length > 0, 'gitea-js: version')
  ok((await api.user.userGetCurrent()).data.login === owner, 'gitea-js: who it is')
  const { data: repo } = await api.repos.repoGet(...at)
  const { data: found } = await api.repos.repoSearch({ q: 'demo' })
  same([repo.default_branch, found.ok, found.data[0].id], ['main', true, repo.id], 'gitea-js: repository and search')
  const pages = [await api.repos.repoListBranches(...at, { page: 1, limit: 40 }), await api.repos.repoListBranches(...at, { page: 2, limit: 40 })]
  same([pages.map((p) => p.data.length), pages[0].headers.get('x-total-count')], [[40, 5], String(BRANCHES)], 'gitea-js: branches in two pages')
  const { data: branch } = await api.repos.repoGetBranch(...at, 'topic/b07')
  same([branch.name, branch.commit.id], ['topic/b07', git('rev-parse', 'topic/b07')], 'gitea-js: a branch with a slash in its name')
  const { data: tags } = await api.repos.repoListTags(...at)
  const { data: tag } = await api.repos.repoGetTag(...at, 'v1.0')
  const { data: annotated } = await api.repos.getAnnotatedTag(...at, tag.id)
  same([tags[0].name, tag.commit.sha, annotated.message], ['v1.0', git('rev-parse', 'v1.0^{}'), 'one\n'], 'gitea-js: tags')
  const { data: refs } = await api.repos.repoListGitRefs(...at, 'heads/topic/b1')
  const { data: log } = await api.repos.repoGetAllCommits(...at, { limit: 3 })
  same([refs.length, log.map((c) => c.sha)], [10, git('rev-list', '-3', 'main').split('\n')], 'gitea-js: refs and commits')
  const { data: one } = await api.repos.repoGetSingleCommit(...at, 'main')
  const patch = await (await api.repos.repoDownloadCommitDiffOrPatch(...at, tip, 'patch', { format: 'text' })).data
  ok(one.commit.message === 'change 4\n' && patch.startsWith(`From ${tip}`), 'gitea-js: one commit, and as a patch', patch)
  const { data: compared } = await api.repos.repoCompareDiff(...at, 'topic/b00...main')
  ok(compared.total_commits === 2 && compared.commits.length === 2, 'gitea-js: compare')
  const { data: file } = await api.repos.repoGetContents(...at, 'src/main.c')
  const { data: raw } = await api.repos.repoGetRawFile(...at, 'src/main.c', {}, { format: 'text' })
  ok(Buffer.from(file.content, 'base64').toString() === raw, 'gitea-js: a file, and raw')
  const { data: tree } = await api.repos.getTree(...at, 'main', { recursive: true })
  const { data: blob } = await api.repos.getBlob(...at, tree.tree[0].sha)
  ok(tree.tree[0].path === 'README.md' && Buffer.from(blob.content, 'base64').toString() === '# Forge\n', 'gitea-js: tree and blob')
  const { data: zip } = await api.repos.repoGetArchive(...at, 'v1.0.zip', { format: 'arrayBuffer' })
  same(Buffer.from(zip).subarray(0, 2).toString(), 'PK', 'gitea-js: archive')
  same((await api.repos.repoGetLanguages(...at)).data, { C: 29 }, 'gitea-js: languages')
  ok((await status(api.repos.repoGet(owner, 'none'))) === 404, 'gitea-js: what is not there')
}

async function giteaWrites(api, owner, tip, target) {
  const { data: made } = await api.user.createCurrentUserRepo({ name: 'made', description: 'by gitea-js', default_branch: 'trunk', auto_init: false })
  const { data: changed } = await api.repos.repoEdit(owner, 'made', { description: 'changed' })
  same([made.default_branch, changed.description], ['trunk', 'changed'], 'gitea-js: create and edit')
  ok((await status(api.repos.repoDelete(owner, 'made'))) === 204, 'gitea-js: delete')
  const { data: posted } = await api.repos.repoCreateStatus(owner, 'demo', tip, { state: 'failure', context: 'ci/gitea', description: 'no' })
  const { data: sum } = await api.repos.repoGetCombinedStatusByRef(owner, 'demo', 'main')
  const { data: list } = await api.repos.repoListStatuses(owner, 'demo', tip)
  same([posted.status, sum.state, list[0].context], ['failure', 'failure', 'ci/gitea'], 'gitea-js: statuses')
  const { data: hook } = await api.repos.repoCreateHook(owner, 'demo', { type: 'gitea', config: { url: target.url, content_type: 'json' }, events: ['push'], active: true })
  const before = target.got.length
  await api.repos.repoTestHook(owner, 'demo', hook.id, {})
  await until(() => target.got.length > before, 'the test delivery')
  ok((await status(api.repos.repoDeleteHook(owner, 'demo', hook.id))) === 204, 'gitea-js: a webhook made, tested and deleted')
}

await group('clients of forges', async () => {
  makeHistory()
  const node = await GutsNode.start({ sets: ['bridge.allow=loopback'] })
  const target = await receiver()
  const at = { owner: node.id, repo: 'demo' }
  const repo = await node.post('/repos', { name: 'demo', description: 'a demo' })
  const url = new URL(node.url)
  git('push', '-q', `http://x:${node.token}@${url.host}/${repo.id}.git`, '--all')
  git('push', '-q', `http://x:${node.token}@${url.host}/${repo.id}.git`, '--tags')
  const tip = git('rev-parse', 'main')
  const octokit = new Octokit({ auth: node.token, baseUrl: `${node.url}/api/v1`, log: { debug() {}, info() {}, warn() {}, error() {} } })
  const api = giteaApi(node.url, { token: node.token })
  await group('octokit reads', () => octokitReads(octokit, at, tip))
  await group('octokit reads files', () => octokitFiles(octokit, at, tip))
  await group('octokit writes', () => octokitWrites(octokit, at, tip, target))
  await group('gitea-js reads', () => giteaReads(api, node.id, tip))
  await group('gitea-js writes', () => giteaWrites(api, node.id, tip, target))
  target.close()
  await node.stop()
})
rmSync(work, { recursive: true, force: true })
done()
