# SPDX-License-Identifier: Apache-2.0
"""The currencies of ISO 4217, and how many decimals each has. Amounts are millionths of a currency's unit.

From list one as published on 2026-01-01. Funds, metals and test codes without a minor unit are left out.
"""

from typing import Final

from meshkit.quantity import MICROS

_CODES_BY_DECIMALS: Final = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
        CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
        GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
        PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
        TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
        BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
        CLF UYW
    """,
}
_MINOR_UNIT_MICROS: Final[dict[str, int]] = {
    code: MICROS // 10**decimals for decimals, codes in _CODES_BY_DECIMALS.items() for code in codes.split()
}


def is_currency(code: str) -> bool:
    """Return whether a text is the code of a currency that amounts can be in."""
    return code in _MINOR_UNIT_MICROS


def minor_unit_micros(code: str) -> int:
    """Return the smallest amount of a currency: USD 10_000 (a cent), JPY 1_000_000, BHD 1_000. Raises KeyError."""
    return _MINOR_UNIT_MICROS[code]
