// A guts node on a home of its own, spoken to by REST.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const DEADLINE_MS = 90_000 // bounds a failure only
const EVERY_MS = 50

// Wait until it is so; gives what the condition gave.
export async function until(condition, what) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const got = await condition()
    if (got) return got
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
}

export class GutsNode {
  static async start({ sets = [], bootstrap = [] } = {}) {
    const node = new GutsNode()
    node.home = mkdtempSync(join(tmpdir(), 'guts-interop-'))
    const args = ['run', '--json', '--home', node.home, '--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0']
    for (const s of sets) args.push('--set', s)
    for (const b of bootstrap) args.push('--bootstrap', b)
    node.process = spawn(process.env.GUTS ?? 'guts', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    node.ended = new Promise((resolve) => node.process.once('exit', resolve))
    process.once('exit', () => node.process.kill('SIGKILL'))
    for await (const line of createInterface({ input: node.process.stdout })) {
      node.ready = JSON.parse(line)
      break
    }
    if (node.ready?.event !== 'ready') throw new Error('the node does not start')
    node.id = node.ready.peer_id
    node.url = node.ready.http
    node.addr = node.ready.listen[0].includes('/p2p/') ? node.ready.listen[0] : `${node.ready.listen[0]}/p2p/${node.id}`
    node.token = readFileSync(join(node.home, 'admin-token'), 'utf8').trim()
    return node
  }

  async request(method, path, body) {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }

  get(path) { return this.request('GET', path) }
  post(path, body) { return this.request('POST', path, body) }

  async stop() {
    this.process.kill('SIGTERM')
    await this.ended
    rmSync(this.home, { recursive: true, force: true })
  }
}
