"""Makes the two fonts of the posters: assets/fonts/noto-sans-sc-{regular,bold}.otf.

Usage: poster_fonts.py NotoSansCJK-Regular.ttc NotoSansCJK-Bold.ttc   (needs fonttools 4.x: pip install fonttools)

Source: Noto Sans CJK 2.004, as in Debian 12's package fonts-noto-cjk 1:20220127+repack1-1
(/usr/share/fonts/opentype/noto/), SIL Open Font License 1.1. It declares no Reserved Font Name, so a subset may keep its
name; the copyright notice and the licence stay in the files and in assets/fonts/OFL.txt.

Kept: ASCII, the punctuation and full-width forms of GB 2312 (rows 1 and 3), its 6,763 hanzi (levels 1 and 2), and EXTRA,
hanzi outside it that company names like. Dropped: hinting, vertical metrics, all OpenType features.
"""

import pathlib
import sys

from fontTools import subset

# Outside GB 2312, yet in trade names and given names.
EXTRA = "堃喆昇珺玥囍煊犇骉淏甯祎翀赟昉昊旸晞暐晟琦琪瑄璟睿钰铄锘镕闳霖霈韬骐鑫淼焱垚森堉菀萱葳蕤蘅祺禧禛翊翎羿艺芃苒茗荃荟莳菁蓁頔颢飏驎鲲鹏麒麟炘烨焜煜熠燚珂珩珮琤琮琛瑗瑀瑭瑾璇璐濠濬灏沄沅沚泓洺涵淳渼湉湑溱滢漪潞澍澧濛"
ROWS = {0xA1: "punctuation", 0xA3: "full-width ASCII"}
HANZI = range(0xB0, 0xF8)
OUT = pathlib.Path(__file__).resolve().parent.parent / "assets" / "fonts"


def row(high: int) -> str:
    """One row of GB 2312; cells that are empty there are left out."""
    cells = (bytes([high, low]).decode("gb2312", "ignore") for low in range(0xA1, 0xFF))
    return "".join(cells)


def characters() -> str:
    ascii_text = "".join(map(chr, range(0x20, 0x7F)))
    rows = "".join(map(row, [*ROWS, *HANZI]))
    return ascii_text + rows + EXTRA + "¥·—–…•"


def main() -> None:
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.glyph_names = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 7, 13, 14]
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"]
    options.font_number = 2  # SC in the collection of ten
    options.recalc_timestamp = False
    OUT.mkdir(parents=True, exist_ok=True)
    for source, weight in zip(sys.argv[1:], ["regular", "bold"], strict=True):
        font = subset.load_font(source, options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=characters())
        subsetter.subset(font)
        name = font["name"].getDebugName(1)
        if name != "Noto Sans CJK SC":
            sys.exit(f"{source}: font 2 is {name}")
        target = OUT / f"noto-sans-sc-{weight}.otf"
        subset.save_font(font, target, options)
        print(f"{target.name}: {len(font.getGlyphOrder())} glyphs, {target.stat().st_size} bytes")


main()
