/**
 * The address of a queue: the flag, else WUERSTCHEN_QUEUE_URL. Arguments are seen by all users of a machine, so one that has a
 * password is taken out of them.
 */
export function queueOf({ queue }: { queue?: string }): string | undefined {
  // Setting the title overwrites the arguments in the memory that `ps` reads.
  if (queue?.includes('@') === true) process.title = 'wuerstchen'
  return queue ?? (process.env['WUERSTCHEN_QUEUE_URL'] || undefined)
}
