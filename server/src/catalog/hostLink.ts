/**
 * Effective bandwidth between one GPU and its host, one direction, GB/s (1e9 bytes), as large pinned copies achieve
 * it: about three quarters of the raw lane rate (16, 32, 64, 128 GB/s for 16 lanes).
 *
 * Sources: PCIe 3, 4 and 5 × 16 achieve about 12, 24-25 and 50-55 GB/s in nvbandwidth and in vLLM's KV offloading
 * measurements; 24 is the figure for the L20 that this project reckons with throughout. PCIe 6 is scaled from 5, no
 * measurement known.
 */
const PCIE_X16_GBS: Readonly<Record<number, number>> = { 3: 12, 4: 24, 5: 50, 6: 100 };

/**
 * NVLink-C2C, per GPU, one direction: 900 GB/s both ways per Grace processor (NVIDIA GH200 and GB200 datasheets) are
 * 450 one way; GB200 shares them between two GPUs, and about 80 % is achieved.
 */
const C2C_GBS: readonly { readonly chip: RegExp; readonly gbs: number }[] = [
  { chip: /^GB[23]00/i, gbs: 180 },
  { chip: /^GH200/i, gbs: 360 },
];

/**
 * @param id the GPU's name; Grace superchips are known by it.
 * @param pcieGen PCI Express generation; unknown ones count as the next older known one.
 */
export function effectiveHostLinkGBs(id: string, pcieGen: number, pcieLanes: number): number {
  const c2c = C2C_GBS.find(({ chip }) => chip.test(id));
  if (c2c !== undefined) return c2c.gbs;
  const generation = Math.min(6, Math.max(3, Math.floor(pcieGen)));
  return (PCIE_X16_GBS[generation] ?? 24) * (Math.min(16, pcieLanes) / 16);
}
