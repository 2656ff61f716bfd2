// A unified patch as a table, in one column or side by side.
import { useMemo } from 'preact/hooks'
import { visible } from '../text'

interface Line {
	kind: ' ' | '+' | '-' | '@' | '\\'
	old?: number
	new?: number
	text: string
}

export function parse(patch: string): Line[] {
	const out: Line[] = []
	let a = 0
	let b = 0
	let inside = false
	for (const line of patch.replace(/\n$/, '').split('\n')) {
		const at = line.match(/^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/)
		if (at) {
			a = Number(at[1])
			b = Number(at[2])
			inside = true
			out.push({ kind: '@', text: line })
		} else if (!inside) continue
		else if (line[0] === '+') out.push({ kind: '+', new: b++, text: line.slice(1) })
		else if (line[0] === '-') out.push({ kind: '-', old: a++, text: line.slice(1) })
		else if (line[0] === '\\') out.push({ kind: '\\', text: line.slice(2) })
		else out.push({ kind: ' ', old: a++, new: b++, text: line.slice(1) })
	}
	return out
}

// Removed lines beside the added ones that follow them.
function pairs(lines: Line[]): [Line?, Line?][] {
	const out: [Line?, Line?][] = []
	for (let i = 0; i < lines.length;) {
		const line = lines[i]!
		if (line.kind !== '-' && line.kind !== '+') {
			out.push([line, line])
			i++
			continue
		}
		const minus: Line[] = []
		const plus: Line[] = []
		while (lines[i]?.kind === '-') minus.push(lines[i++]!)
		while (lines[i]?.kind === '+') plus.push(lines[i++]!)
		for (let k = 0; k < Math.max(minus.length, plus.length); k++) out.push([minus[k], plus[k]])
	}
	return out
}

const CLASS: Record<Line['kind'], string> = { ' ': '', '+': 'plus', '-': 'minus', '@': 'hunk', '\\': 'hunk' }
const SAID: Partial<Record<Line['kind'], string>> = { '+': 'added ', '-': 'removed ' }

const Text = ({ line, both }: { line?: Line; both?: boolean }) => (
	<td class={'text ' + (line ? CLASS[line.kind] : 'none')}>
		{line && SAID[line.kind] && <span class="sr">{SAID[line.kind]}</span>}
		<code>
			{both && <span class="mark">{line!.kind === '+' || line!.kind === '-' ? line!.kind : ' '}</span>}
			{line && visible(line.text)}
		</code>
	</td>
)

export function Diff({ patch, split, name }: { patch: string; split: boolean; name: string }) {
	const lines = useMemo(() => parse(patch), [patch])
	return (
		<div class="table" role="region" tabIndex={0} aria-label={`Changes of ${name}`}>
			<table class={split ? 'diff split' : 'diff'}>
				<tbody>
					{split
						? pairs(lines).map(([l, r]) =>
								l && (l.kind === '@' || l.kind === '\\') ? (
									<tr>
										<td class="hunk" colSpan={4}>
											<code>{visible(l.text)}</code>
										</td>
									</tr>
								) : (
									<tr>
										<td class="n">{l?.old}</td>
										<Text line={l} />
										<td class="n">{r?.new}</td>
										<Text line={r} />
									</tr>
								),
							)
						: lines.map((l) => (
								<tr>
									<td class="n">{l.old}</td>
									<td class="n">{l.new}</td>
									<Text line={l} both />
								</tr>
							))}
				</tbody>
			</table>
		</div>
	)
}
