"""Positions, line rules, documents and snapshots. Pure: knows no editor and no model."""
