// A running peer_probe: commands in, events out, waiting for what one needs.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const DEADLINE_MS = 60_000 // bounds a failure; nothing waits for time to pass

export class Probe {
  #child
  #events = []
  #waiting = []
  #exit

  static async start(args = []) {
    const path = `${process.env.GUTS_BUILDDIR ?? '.'}/tests/interop/peer_probe`
    const probe = new Probe(path, args)
    probe.ready = await probe.next((e) => e.event === 'ready')
    return probe
  }

  constructor(path, args) {
    this.#child = spawn(path, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#exit = new Promise((resolve) => this.#child.on('exit', (code, signal) => resolve({ code, signal })))
    this.#exit.then((how) => this.#push({ event: 'exit', ...how }))
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#push(JSON.parse(line)))
  }

  #push(e) {
    const i = this.#waiting.findIndex((w) => w.match(e))
    if (i >= 0) this.#waiting.splice(i, 1)[0].resolve(e)
    else this.#events.push(e)
  }

  // The next event that matches, also one that came already.
  next(match) {
    const i = this.#events.findIndex(match)
    if (i >= 0) return Promise.resolve(this.#events.splice(i, 1)[0])
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the probe did not say it; it said ${JSON.stringify(this.#events)}`)), DEADLINE_MS)
      this.#waiting.push({ match, resolve: (e) => { clearTimeout(timer); resolve(e) } })
    })
  }

  tell(cmd) {
    this.#child.stdin.write(JSON.stringify(cmd) + '\n')
  }

  // Send a command and wait for its answer (same `id`).
  #id = 0
  ask(cmd) {
    const id = ++this.#id
    this.tell({ ...cmd, id })
    return this.next((e) => e.id === id)
  }

  async stop() {
    this.#child.stdin.end()
    return this.#exit
  }
}
