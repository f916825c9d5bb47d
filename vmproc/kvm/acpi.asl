/* SPDX-License-Identifier: ISC */
/* The part of ACPI that is the same in every machine: compiled by iasl. The
 * numbers are those of layout.h and power.h. */
DefinitionBlock ("", "DSDT", 2, "VMSUP ", "MACHINE ", 1)
{
	/* power-off: what goes into the sleep control register's SLP_TYP */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange, 0,
					0x1000, 0xffff, 0, 0xf000)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, 0xc0000000, 0xdfffffff,
					0, 0x20000000)
			})
		}

		/* Configuration space: nobody else's memory */
		Device (ECAM)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xe0000000, 0x100000)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 4 }
			})
		}

		/* Panic notification */
		Device (PANC)
		{
			Name (_HID, "QEMU0001")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x505, 0x505, 1, 1)
			})
		}

		Device (PWRB)
		{
			Name (_HID, EisaId ("PNP0C0C"))
			Name (_UID, 1)
		}

		/* Generic event device: the button's interrupt (ACPI 6.4
		 * section 5.6.9); the machine has no fixed hardware */
		Device (GED)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 5 }
			})
			Method (_EVT, 1, Serialized)
			{
				Notify (PWRB, 0x80)
			}
		}
	}
}
