// Print api/openapi.yaml as JSON: node json.mjs >../../api/openapi.json
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

const yaml = new URL('../../api/openapi.yaml', import.meta.url)
process.stdout.write(JSON.stringify(parse(readFileSync(yaml, 'utf8')), null, '\t') + '\n')
