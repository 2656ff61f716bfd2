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
    node.args = ['run', '--json', '--home', node.home, '--listen', '/ip4/127.0.0.1/tcp/0', '--http', '127.0.0.1:0']
    for (const s of sets) node.args.push('--set', s)
    for (const b of bootstrap) node.args.push('--bootstrap', b)
    process.once('exit', () => node.process.kill('SIGKILL'))
    await node.launch()
    node.id = node.ready.peer_id
    node.url = node.ready.http
    node.addr = node.ready.listen[0].includes('/p2p/') ? node.ready.listen[0] : `${node.ready.listen[0]}/p2p/${node.id}`
    node.token = readFileSync(join(node.home, 'admin-token'), 'utf8').trim()
    return node
  }

  async launch() {
    this.process = spawn(process.env.GUTS ?? 'guts', this.args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.ended = new Promise((resolve) => this.process.once('exit', resolve))
    for await (const line of createInterface({ input: this.process.stdout })) {
      this.ready = JSON.parse(line)
      break
    }
    if (this.ready?.event !== 'ready') throw new Error('the node does not start')
  }

  // kill -9, then a start on the same HTTP port.
  async crash() {
    this.process.kill('SIGKILL')
    await this.ended
    this.args[this.args.indexOf('--http') + 1] = new URL(this.url).host
    await this.launch()
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
