/** Looks at an interface as the kernel shows it: it is there, up, and has a carrier. */
import { readFile } from 'node:fs/promises'
import type { Probe } from './check.ts'

export async function probeInterface({ name }: Probe & { kind: 'interface' }): Promise<string | null> {
  try {
    const carrier = await readFile(`/sys/class/net/${name}/carrier`, 'utf8')
    return carrier.trim() === '1' ? null : `interface ${name} has no carrier`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // The file of one that is administratively down can't be read.
    return code === 'ENOENT' ? `there is no interface ${name}` : `interface ${name} is down`
  }
}
