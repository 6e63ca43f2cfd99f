/*
 * libgodwit: everything in one include.
 */
#ifndef GW_GODWIT_GODWIT_H
#define GW_GODWIT_GODWIT_H

#include <godwit/address.h>
#include <godwit/command.h>
#include <godwit/compat.h>
#include <godwit/control.h>
#include <godwit/error.h>
#include <godwit/fdset.h>
#include <godwit/image.h>
#include <godwit/machine.h>
#include <godwit/migration.h>
#include <godwit/ram.h>
#include <godwit/tracker.h>
#include <godwit/version.h>
#include <godwit/vmstate.h>

#endif
