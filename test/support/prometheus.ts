/** A metric in Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/. */
export interface Family {
  name: string
  type: string
  help: string
  samples: Sample[]
}

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/

/** @throws Error for a line that is none of the format */
export function familiesOf(text: string): Family[] {
  const families: Family[] = []
  for (const line of text.split('\n').filter(each => each !== '')) {
    const [, word, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (word === 'HELP') families.push({ name: name!, help: rest!, type: '', samples: [] })
    else if (word === 'TYPE') families.at(-1)!.type = rest!
    else families.at(-1)!.samples.push(sampleOf(line))
  }
  return families
}

function sampleOf(line: string): Sample {
  const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
  if (name === undefined) throw new Error(`Expected a sample but received ${line}`)
  const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key!, text!])
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }
}
