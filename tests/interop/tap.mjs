// TAP for the interop tests: one `ok` per fact, an exception fails its case.
import { existsSync } from 'node:fs'

let n = 0
let failed = 0

export function ok(good, text, detail) {
  n++
  if (!good) {
    failed++
    if (detail !== undefined) console.log(String(detail).replace(/^/gm, '# '))
  }
  console.log(`${good ? 'ok' : 'not ok'} ${n} - ${text}`)
}

export async function group(text, run) {
  try {
    await run()
  } catch (err) {
    ok(false, text, err.stack ?? err)
  }
}

export function done() {
  console.log(`1..${n}`)
  process.exit(failed ? 1 : 0)
}

// The whole program is skipped where the packages are not installed.
export function needsPackages(name = 'libp2p') {
  if (existsSync(new URL(`node_modules/${name}`, import.meta.url))) return
  console.log('1..0 # SKIP npm packages are missing: npm ci in tests/interop')
  process.exit(0)
}
