/**
 * Effective bandwidth between one GPU and its host, one direction, GB/s (1e9 bytes), as large pinned copies achieve
 * it: about three quarters of the raw rate of 16 lanes (16, 32, 64, 128 GB/s).
 *
 * Sources: copies over PCIe 3, 4 and 5 reach about 12, 24-25 and 50-55 GB/s (github.com/NVIDIA/nvbandwidth; the lower
 * end is taken, 24 being the figure that this project states for the L20 throughout). PCIe 6 is scaled from 5.
 */
const PCIE_X16_GBS: Readonly<Record<number, number>> = { 3: 12, 4: 24, 5: 50, 6: 100 };

/**
 * NVLink-C2C, per GPU, one direction: 900 GB/s both ways per Grace processor (NVIDIA GH200 and GB200 datasheets) are
 * 450 one way, which GB200 shares between two GPUs. That 80 % of it is achieved is assumed, not measured.
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
