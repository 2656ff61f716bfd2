// A text with line numbers, lines that can be pointed at, and colours that arrive later.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { replace, route } from '../router'
import { num, visible } from '../text'
import { scriptUrl } from '../trusted'
import { languageOf } from './languages'

export type Token = [string, string] // class, text

const BLOCK = 100
const SHOWN = 10_000 // [lines]
const COLOUR_BYTES = 256 * 1024
const COLOUR_LINE = 5000
const COLOUR_MS = 4000

// Colours, made in a worker: a text that is slow to analyse must not stop the page.
function useColours(text: string, name: string): Token[][] | undefined {
	const [lines, set] = useState<Token[][] | undefined>()
	useEffect(() => {
		set(undefined)
		const language = languageOf(name)
		if (!language || text.length > COLOUR_BYTES || text.split('\n').some((l) => l.length > COLOUR_LINE)) return
		const worker = new Worker(scriptUrl(HIGHLIGHT_WORKER), { type: 'module' })
		const timer = setTimeout(() => worker.terminate(), COLOUR_MS)
		worker.onmessage = ({ data }: MessageEvent<Token[][]>) => {
			set(data)
			worker.terminate()
			clearTimeout(timer)
		}
		worker.postMessage({ text, language })
		return () => {
			clearTimeout(timer)
			worker.terminate()
		}
	}, [text, name])
	return lines
}

const Line = ({ n, text, tokens, on, at }: { n: number; text: string; tokens?: Token[]; on: boolean; at: string }) => (
	<div class={on ? 'line on' : 'line'} id={'L' + n}>
		<a class="ln" href={`${at}#L${n}`} data-n={n} aria-label={`Line ${n}`} tabIndex={-1} />
		<code>{tokens ? tokens.map(([c, s]) => (c ? <span class={c}>{visible(s)}</span> : visible(s))) : visible(text)}</code>
	</div>
)

export function Code({ text, name }: { text: string; name: string }) {
	const lines = useMemo(() => {
		const all = text.split('\n')
		if (all.at(-1) === '') all.pop()
		return all
	}, [text])
	const [all, setAll] = useState(false)
	const colours = useColours(text, name)
	const box = useRef<HTMLDivElement>(null)
	const { lines: range, text: at } = route.value
	const [from, to] = range ?? [0, -1]
	useEffect(() => {
		if (from > SHOWN) setAll(true)
		box.current?.querySelector('#L' + from)?.scrollIntoView({ block: 'center' })
	}, [from, lines])

	const pick = (e: MouseEvent) => {
		const a = (e.target as Element).closest?.('a.ln')
		if (!a) return
		e.preventDefault()
		const n = Number(a.getAttribute('data-n'))
		const start = e.shiftKey && from ? Math.min(from, n) : n
		const end = e.shiftKey && from ? Math.max(from, n) : n
		replace(`#${at}#L${start}${end > start ? `-L${end}` : ''}`)
	}
	const shown = all ? lines : lines.slice(0, SHOWN)
	const blocks: number[] = []
	for (let i = 0; i < shown.length; i += BLOCK) blocks.push(i)
	return (
		<>
			<div class="code" ref={box} tabIndex={0} role="region" aria-label={`Text of ${name}`} onClick={pick}>
				{blocks.map((i) => (
					<div class="block" key={i}>
						{shown.slice(i, i + BLOCK).map((line, k) => {
							const n = i + k + 1
							return <Line key={n} n={n} text={line} tokens={colours?.[n - 1]} on={n >= from && n <= to} at={'#' + at} />
						})}
					</div>
				))}
			</div>
			{shown.length < lines.length && (
				<p class="pad">
					<button type="button" onClick={() => setAll(true)}>
						Show all {num(lines.length)} lines
					</button>
				</p>
			)}
		</>
	)
}
